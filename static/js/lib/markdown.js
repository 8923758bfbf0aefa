/**
 * Model output, safely shown: Markdown source to DOM nodes, at once or while it arrives.
 *
 *     renderMarkdown(element, source, { strings });
 *
 *     const stream = new MarkdownStream(element, { strings });
 *     stream.append("**Hel");
 *     stream.append("lo**");
 *     await stream.finish();
 */

import { appendText } from './characters.js';
import { Flow } from './flow.js';
import { DEFAULT_STRINGS } from './strings.js';
import { splitReasoning } from './think.js';

/** Characters that are rendered of the reasoning and of the answer, each. */
const MAX_RENDERED = 65_536;

/**
 * @typedef {object} Options
 * @property {Partial<import('./strings.js').Strings>} [strings]
 * @property {{katexStyles?: string}} [assets] katexStyles: address of KaTeX's style sheet
 */

/**
 * @param {HTMLElement} target its content is replaced
 * @param {string} source
 * @param {Options} [options]
 * @returns {Promise<void>} when formulas are set and code is coloured too
 */
export function renderMarkdown(target, source, options = {}) {
  return new MarkdownStream(target, options).set(source).finish();
}

/**
 * Render every `[data-md]` element that a template filled with source text.
 *
 * @param {ParentNode} root
 * @param {Options} [options]
 * @returns {Promise<void>}
 */
export async function upgradeMarkdown(root, options = {}) {
  /** @type {NodeListOf<HTMLElement>} */
  const elements = root.querySelectorAll('[data-md]');
  await Promise.all(
    [...elements].map((element) => {
      element.removeAttribute('data-md');
      return renderMarkdown(element, element.textContent ?? '', options);
    }),
  );
}

export class MarkdownStream {
  #target;
  #options;
  #answer;
  /** @type {{details: HTMLDetailsElement, flow: Flow} | null} */
  #reasoning = null;
  /** @type {HTMLElement | null} */
  #notice = null;
  /** @type {HTMLElement | null} all of the source as text, once the reader asked for it */
  #plain = null;
  #plainLength = 0;
  #source = '';
  #isFinished = false;
  #frame = 0;
  /** What is being fetched, and the update that follows it. @type {Map<Promise<void>, Promise<void>>} */
  #awaited = new Map();

  /**
   * @param {HTMLElement} target its content is replaced
   * @param {Options} [options]
   */
  constructor(target, options = {}) {
    this.#target = target;
    this.#options = {
      strings: { ...DEFAULT_STRINGS, ...options.strings },
      assets: options.assets ?? {},
    };
    this.#answer = new Flow(this.#options);
    target.replaceChildren(this.#answer.element);
    target.classList.add('is-rendered');
  }

  /** All text so far, as it was written. */
  get source() {
    return this.#source;
  }

  /**
   * @param {string} text all of it
   * @returns {this}
   */
  set(text) {
    this.#source = text;
    this.#isFinished = false;
    this.#frame ||= requestAnimationFrame(() => this.flush());
    return this;
  }

  /**
   * @param {string} text what has arrived since
   * @returns {this}
   */
  append(text) {
    return this.set(this.#source + text);
  }

  /** Show what there is now, without waiting for the next frame. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#plain) this.#growPlainText(this.#plain);
    else this.#render();
  }

  /**
   * No more text comes: show all of it in its final form.
   *
   * @returns {Promise<void>} when formulas are set and code is coloured too
   */
  async finish() {
    this.#isFinished = true;
    this.flush();
    while (this.#awaited.size > 0) await Promise.all(this.#awaited.values());
  }

  #render() {
    const { reasoning, answer } = splitReasoning(this.#source, this.#isFinished);
    const shownAnswer = clip(answer);
    const shownReasoning = clip(reasoning ?? '');
    this.#showReasoning(reasoning === null ? null : shownReasoning, answer === '');
    this.#show(this.#answer, shownAnswer, true);
    this.#showNotice(shownAnswer !== answer || shownReasoning !== (reasoning ?? ''));
  }

  /**
   * @param {Flow} flow
   * @param {string} source
   * @param {boolean} isAtEnd text is added to this part
   */
  #show(flow, source, isAtEnd) {
    for (const promise of flow.update(source, isAtEnd && !this.#isFinished)) this.#renderAfter(promise);
  }

  /** @param {Promise<void>} promise */
  #renderAfter(promise) {
    if (this.#awaited.has(promise)) return;
    const update = promise.then(() => {
      this.#awaited.delete(promise);
      this.flush();
    });
    this.#awaited.set(promise, update);
  }

  /**
   * @param {string | null} source
   * @param {boolean} isAtEnd
   */
  #showReasoning(source, isAtEnd) {
    if (source === null) {
      this.#reasoning?.details.remove();
      this.#reasoning = null;
      return;
    }
    this.#reasoning ??= this.#addReasoning();
    this.#show(this.#reasoning.flow, source, isAtEnd);
  }

  #addReasoning() {
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    const flow = new Flow(this.#options);
    details.className = 'think';
    summary.textContent = this.#options.strings.reasoning;
    details.append(summary, flow.element);
    this.#answer.element.before(details);
    return { details, flow };
  }

  /** @param {boolean} isClipped */
  #showNotice(isClipped) {
    if (isClipped && !this.#notice) {
      this.#notice = this.#makeNotice();
      this.#answer.element.after(this.#notice);
    } else if (!isClipped && this.#notice) {
      this.#notice.remove();
      this.#notice = null;
    }
  }

  #makeNotice() {
    const notice = document.createElement('div');
    const button = document.createElement('button');
    notice.className = 'md-more';
    button.type = 'button';
    button.className = 'md-show-all';
    button.textContent = this.#options.strings.showAll;
    button.addEventListener('click', () => this.#showPlainText());
    notice.append(`${this.#options.strings.clipped} `, button);
    return notice;
  }

  #showPlainText() {
    const plain = document.createElement('div');
    plain.className = 'md-raw';
    plain.dir = 'auto';
    plain.tabIndex = -1;
    this.#plain = plain;
    this.#growPlainText(plain);
    this.#target.replaceChildren(plain);
    plain.focus({ preventScroll: true });
  }

  /** @param {HTMLElement} plain */
  #growPlainText(plain) {
    if (this.#source.length < this.#plainLength) {
      plain.replaceChildren();
      this.#plainLength = 0;
    }
    appendText(plain, this.#source.slice(this.#plainLength));
    this.#plainLength = this.#source.length;
  }
}

/**
 * @param {string} text
 * @returns {string} as much of its beginning as is rendered, cut at the end of a line if possible
 */
function clip(text) {
  if (text.length <= MAX_RENDERED) return text;
  const lineEnd = text.lastIndexOf('\n', MAX_RENDERED);
  if (lineEnd > MAX_RENDERED * 0.9) return text.slice(0, lineEnd);
  const splitsPair = /[\uD800-\uDBFF]/.test(text[MAX_RENDERED - 1]);
  return text.slice(0, splitsPair ? MAX_RENDERED - 1 : MAX_RENDERED);
}
