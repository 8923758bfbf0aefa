/** One side's answer: its head, its text, its own scrolling. */
import { appendText } from './characters.js';
import { copy } from './clipboard.js';
import { one, say, scrolling, setText } from './dom.js';
import { MarkdownStream } from './markdown.js';
import { MARKDOWN, t } from './sentences.js';
import { isLive } from './state.js';

/** @typedef {import('./state.js').Answer} Answer */
/**
 * @typedef {{isHeld: boolean, contender: import('./state.js').Contender | null, isPreferred: boolean,
 *            isReplacement: boolean}} Setting
 */

const STILL_WAITING_AFTER = 3_000;
const SLOW_AFTER = 30_000;
const NEAR_THE_END = 48;
const COPIED_FOR = 2_000;

/** Events: `slow` when no word has come for long; `copied`. */
export class Pane extends EventTarget {
  #status;
  #name;
  #note;
  #end;
  #md;
  #raw = document.createElement('div');
  #scroll;
  #jump;
  #copy;
  /** @type {MarkdownStream | null} */
  #stream = null;
  #attempt = 0;
  /** @type {Answer | null} */
  #answer = null;
  /** @type {Setting} */
  #setting = { isHeld: false, contender: null, isPreferred: false, isReplacement: false };
  #timers = [0, 0];
  #isPatient = false;
  #isStuckToEnd = false;
  #preferences;

  /**
   * @param {HTMLElement} root
   * @param {number} turn
   * @param {import('./preferences.js').Preferences} preferences
   */
  constructor(root, turn, preferences) {
    super();
    this.root = root;
    this.side = /** @type {import('./state.js').Side} */ (root.dataset.side);
    this.#preferences = preferences;
    this.#status = one('[data-status]', root);
    this.#name = one('[data-name]', root);
    this.#note = one('[data-note]', root);
    this.#end = one('[data-end]', root);
    this.#md = one('[data-md]', root);
    this.#scroll = one('[data-scroll]', root);
    this.#jump = one('[data-jump]', root);
    this.#copy = one('[data-copy-answer]', root);
    this.#raw.className = 'md-raw';
    this.#raw.dir = 'auto';
    this.#raw.hidden = true;
    this.#md.after(this.#raw);
    this.#scroll.setAttribute('aria-label', t('answer_region', { side: this.side.toUpperCase(), turn: turn + 1 }));
    this.#listen();
  }

  /** Whether there is something on show that one could judge. */
  get isReadable() {
    return Boolean(this.#answer) && this.#answer.state !== 'waiting' && !this.#setting.isHeld;
  }

  focus() {
    this.#scroll.focus();
  }

  /**
   * @param {Answer} answer
   * @param {Setting} setting
   */
  update(answer, setting) {
    const isNew = answer.attempt !== this.#attempt;
    if (isNew) this.#begin(answer);
    this.#answer = answer;
    this.#setting = setting;
    if (answer.state !== 'waiting') this.#stopWaiting();
    this.#paintText();
    this.#paintFrame();
  }

  /**
   * More of the text, which `answer` already has.
   * @param {string} text
   */
  append(text) {
    this.#stopWaiting();
    if (!this.#raw.hidden) appendText(this.#raw, text);
    this.#stream?.append(text);
    this.#paintFrame();
  }

  /** @param {Answer} answer */
  #begin(answer) {
    this.#attempt = answer.attempt;
    this.#stream = new MarkdownStream(this.#md, { strings: MARKDOWN });
    this.#isStuckToEnd = isLive(answer);
    this.#stopWaiting();
    if (answer.state === 'waiting') this.#wait();
  }

  #wait() {
    const patient = setTimeout(() => {
      this.#isPatient = true;
      this.#paintFrame();
    }, STILL_WAITING_AFTER);
    this.#timers = [patient, setTimeout(() => this.dispatchEvent(new Event('slow')), SLOW_AFTER)];
  }

  #stopWaiting() {
    this.#timers.forEach(clearTimeout);
    this.#isPatient = false;
  }

  #paintText() {
    const { text } = this.#answer;
    const isRaw = this.#preferences.raw;
    this.#md.hidden = isRaw || this.#setting.isHeld;
    this.#raw.hidden = !isRaw || this.#setting.isHeld;
    if (isRaw) {
      this.#raw.replaceChildren();
      appendText(this.#raw, text);
    }
    if (this.#stream.source !== text) this.#stream.set(text);
    if (!isLive(this.#answer)) this.#stream.finish();
  }

  #paintFrame() {
    const { contender, isPreferred, isHeld } = this.#setting;
    const isBusy = isLive(this.#answer);
    this.root.dataset.state = isHeld ? 'waiting' : this.#answer.state;
    this.root.classList.toggle('is-preferred', isPreferred);
    this.root.classList.toggle('is-empty', !this.#answer.text);
    this.#scroll.setAttribute('aria-busy', String(isBusy));
    if (contender) setText(this.#name, contender.name);
    one('[data-your-vote]', this.root).hidden = !isPreferred;
    setText(this.#status, contender ? factsOf(contender) : this.#stateWords());
    say(this.#note, this.#noteWords());
    say(this.#end, this.#endWords());
    this.#copy.hidden = isBusy || !this.#answer.text;
    this.#offerJump();
  }

  #stateWords() {
    const { state, message, text } = this.#answer;
    if (state === 'waiting' && message) return message.replace(/\.$/, ''); // dots that say “still” follow it
    if (state === 'waiting' || state === 'replaced') return t(this.#isPatient ? 'state_waiting_long' : 'state_waiting');
    return t(state === 'failed' && text ? 'state_cut_off' : `state_${state}`);
  }

  #noteWords() {
    if (this.#setting.isHeld) return t('note_whole');
    return this.#setting.isReplacement && !this.#setting.contender ? t('note_replaced') : '';
  }

  #endWords() {
    const { state, message, truncated, text } = this.#answer;
    if (state === 'failed') return message || t('note_failed');
    if (state === 'cut_off') return t('note_cut_off');
    if (state === 'complete' && !text.trim()) return t('note_empty');
    return truncated && state === 'complete' ? t('note_truncated') : '';
  }

  #listen() {
    this.#scroll.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
      this.#isStuckToEnd = scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
      this.#offerJump();
    }, { passive: true });
    // The text is set once a frame, some of it later still; its growth is what matters, whatever made it grow.
    const growth = new ResizeObserver(() => this.#keepToEnd());
    growth.observe(this.#md);
    growth.observe(this.#raw);
    this.#jump.addEventListener('click', () => {
      this.#scroll.scrollTo({ top: this.#scroll.scrollHeight, behavior: scrolling() });
    });
    this.#copy.addEventListener('click', () => this.#copyText());
  }

  #keepToEnd() {
    if (this.#isStuckToEnd && this.#answer && isLive(this.#answer)) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#offerJump();
  }

  #offerJump() {
    this.#jump.hidden = this.#isStuckToEnd || !this.#answer || !isLive(this.#answer) || this.#setting.isHeld;
  }

  async #copyText() {
    if (!(await copy(this.#answer.text))) return;
    this.root.classList.add('is-copied');
    setTimeout(() => this.root.classList.remove('is-copied'), COPIED_FOR);
    this.dispatchEvent(new Event('copied'));
  }
}

/** @param {import('./state.js').Contender} contender */
export function factsOf({ organisation, parameters, licence }) {
  return [organisation, parameters, licence].filter(Boolean).join(' · ');
}
