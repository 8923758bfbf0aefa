/** One model tried live: a prompt, its answer as it is written, and what that took. */
import { appendText } from './characters.js';
import { data, one, say, setText } from './dom.js';
import { jsonLines } from './json_lines.js';
import { MarkdownStream } from './markdown.js';
import { count, seconds } from './numbers.js';

const STRINGS = data('trial-strings');
const MARKDOWN = {
  code: STRINGS.md_code,
  copy: STRINGS.md_copy,
  copied: STRINGS.copied,
  table: STRINGS.md_table,
  formula: STRINGS.md_formula,
  imageNotLoaded: STRINGS.md_image_not_loaded,
  reasoning: STRINGS.md_reasoning,
  clipped: STRINGS.md_clipped,
  showAll: STRINGS.md_show_all,
};

export class Trial {
  #form;
  #answer;
  #prompt;
  #status;
  #stop;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {MarkdownStream | null} */
  #stream = null;
  #isThinking = false;
  #isOver = false;

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement} answer
   */
  constructor(form, answer) {
    this.#form = form;
    this.#answer = answer;
    this.#prompt = one('[data-prompt]', form);
    this.#status = one('[data-status]', form);
    this.#stop = one('[data-stop]', form);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.#stop.addEventListener('click', () => this.#running?.abort());
    addEventListener('pagehide', () => this.#running?.abort());
  }

  /** @param {string} text */
  suggest(text) {
    this.#prompt.value = text;
    this.#prompt.focus();
  }

  async #ask() {
    if (!this.#prompt.value.trim()) {
      setText(this.#status, STRINGS.empty);
      this.#prompt.focus();
      return;
    }
    this.#running?.abort();
    const mine = new AbortController();
    this.#running = mine;
    this.#begin();
    const problem = await this.#read(mine.signal);
    if (this.#running !== mine) return; // a later question has the page
    this.#end(mine.signal.aborted ? STRINGS.stopped : problem);
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<string>} what went wrong on the way; empty if nothing did
   */
  async #read(signal) {
    try {
      const response = await fetch(this.#form.action, { method: 'POST', body: new FormData(this.#form), signal });
      if (!response.ok || response.redirected) return STRINGS.refused.replace('%(status)s', String(response.status));
      for await (const event of jsonLines(response)) {
        if (signal.aborted) return '';
        this.#follow(event);
      }
      return this.#isOver ? '' : STRINGS.lost;
    } catch {
      return signal.aborted ? '' : STRINGS.lost;
    }
  }

  #begin() {
    this.#answer.hidden = false;
    this.#stop.hidden = false;
    this.#stream = new MarkdownStream(one('[data-text]', this.#answer), { strings: MARKDOWN });
    this.#isThinking = this.#isOver = false;
    one('[data-numbers]', this.#answer).hidden = true;
    one('[data-raw]', this.#answer).hidden = true;
    say(one('[data-failure]', this.#answer), '');
    this.#answer.setAttribute('aria-busy', 'true');
    setText(this.#status, STRINGS.waiting);
  }

  /** @param {string} problem */
  async #end(problem) {
    this.#stop.hidden = true;
    this.#answer.setAttribute('aria-busy', 'false');
    await this.#stream?.finish();
    if (problem) setText(this.#status, problem);
  }

  /** @param {any} event */
  #follow(event) {
    switch (event.type) {
      case 'progress':
        setText(this.#status, event.words);
        break;
      case 'prompt':
        this.#showPrompt(event.text);
        break;
      case 'reasoning':
      case 'text':
        this.#write(event);
        break;
      case 'failure':
        this.#isOver = true;
        say(one('[data-failure]', this.#answer), event.words);
        setText(this.#status, '');
        break;
      case 'end':
        this.#isOver = true;
        this.#showNumbers(event);
    }
  }

  /** @param {{type: string, text: string}} event */
  #write({ type, text }) {
    setText(this.#status, STRINGS.writing);
    const isThinking = type === 'reasoning';
    if (isThinking !== this.#isThinking) this.#stream.append(isThinking ? '<think>\n' : '\n</think>\n');
    this.#isThinking = isThinking;
    this.#stream.append(text);
  }

  /** @param {string} text */
  #showPrompt(text) {
    const target = one('[data-raw-text]', this.#answer);
    target.replaceChildren();
    appendText(target, text);
    one('[data-raw]', this.#answer).hidden = false;
  }

  /** @param {{first_token_seconds: number | null, tokens_per_second: number | null, tokens: number | null, was_cut: boolean}} end */
  #showNumbers(end) {
    const known = (/** @type {number | null} */ value, /** @type {(n: number) => string} */ format) =>
      value === null ? STRINGS.unknown : format(value);
    setText(one('[data-first]', this.#answer), known(end.first_token_seconds, seconds));
    setText(one('[data-rate]', this.#answer), known(end.tokens_per_second, (n) => count(Math.round(n * 10) / 10)));
    setText(one('[data-tokens]', this.#answer), known(end.tokens, count));
    one('[data-numbers]', this.#answer).hidden = false;
    const isEmpty = !this.#stream.source.trim();
    setText(this.#status, isEmpty ? STRINGS.no_words : end.was_cut ? STRINGS.cut : STRINGS.done);
  }
}
