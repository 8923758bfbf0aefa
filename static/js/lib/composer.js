/** A box to write a prompt in. What was typed leaves it only once the server has it. */
import { one, say, setText } from './dom.js';
import { keepDraft, readDraft } from './drafts.js';
import { isComposing } from './keys.js';
import { count, length } from './numbers.js';
import { Refusal } from './refusal.js';
import { t } from './sentences.js';

const COUNT_FROM = 0.8;
const MOST_ROWS = 8;

/** Events: `send` (detail: the prompt). */
export class Composer extends EventTarget {
  #form;
  #box;
  #button;
  #label;
  #labelText;
  #counter;
  #refusal;
  #limit;
  #draft;
  #rows;
  #isBusy = false;

  /**
   * @param {HTMLFormElement} form
   * @param {number} limit of a prompt, in characters
   * @param {string} draft names the battle that the text is meant for
   */
  constructor(form, limit, draft) {
    super();
    this.#form = form;
    this.#box = one('[data-box]', form);
    this.#button = one('[data-send]', form);
    this.#label = one('[data-send-label]', form);
    this.#labelText = this.#label.textContent;
    this.#counter = one('[data-counter]', form);
    this.#refusal = new Refusal(one('[data-error]', form));
    this.#limit = limit;
    this.#draft = draft;
    this.#rows = this.#box.rows;
    form.addEventListener('submit', (event) => this.#submit(event));
    this.#box.addEventListener('input', () => this.#changed());
    this.#box.addEventListener('keydown', (event) => this.#press(event));
    if (!this.#box.value) this.#box.value = readDraft(draft);
    this.#changed();
  }

  get text() {
    return this.#box.value;
  }

  set text(text) {
    this.#box.value = text;
    this.#changed();
  }

  /** From now on the text is meant for this battle. */
  belongTo(/** @type {string} */ battle) {
    keepDraft(this.#draft, '');
    this.#draft = battle;
    keepDraft(battle, this.text);
  }

  focus() {
    this.#box.focus();
    this.#box.setSelectionRange(this.text.length, this.text.length);
  }

  /** Shows that the text is on its way; it stays in the box. */
  set busy(/** @type {string} */ words) {
    this.#isBusy = Boolean(words);
    this.#button.setAttribute('aria-disabled', String(this.#isBusy));
    this.#box.readOnly = this.#isBusy;
    setText(this.#label, words || this.#labelText);
    if (words) this.#refusal.clear();
  }

  /** The server has it. */
  sent() {
    this.busy = '';
    this.text = '';
  }

  /**
   * @param {string} message
   * @param {number} [seconds]
   */
  refuse(message, seconds) {
    this.busy = '';
    this.#refusal.show(message, seconds);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    if (!event.repeat) this.#form.requestSubmit();
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    if (this.#isBusy) return;
    const n = length(this.text);
    if (!this.text.trim()) this.refuse(t('prompt_empty'));
    else if (n > this.#limit) this.refuse(t('prompt_too_long', { length: count(n), limit: count(this.#limit) }));
    else return void this.dispatchEvent(new CustomEvent('send', { detail: this.text }));
    this.#box.focus();
  }

  #changed() {
    keepDraft(this.#draft, this.text);
    this.#refusal.clear();
    const n = length(this.text);
    const isNear = n > this.#limit * COUNT_FROM;
    say(this.#counter, isNear ? t('counter', { length: count(n), limit: count(this.#limit) }) : '');
    this.#box.setAttribute('aria-invalid', String(n > this.#limit));
    this.#grow();
  }

  /** Where style sheets cannot let a box grow with its text, count the lines. */
  #grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    this.#box.rows = Math.max(this.#rows, Math.min(MOST_ROWS, this.text.split('\n').length));
  }
}
