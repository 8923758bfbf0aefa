/** Why? Reasons and a comment, after the vote; both may be changed later. */
import { all, one, say, setText } from './dom.js';
import { count, length } from './numbers.js';
import { Refusal } from './refusal.js';
import { t } from './sentences.js';

/** Which words stand before the reasons for and against, by outcome. No words: those reasons are not offered. */
const LEGENDS = {
  a: { positive: 'legend_good_a', negative: 'legend_bad_b' },
  b: { positive: 'legend_good_b', negative: 'legend_bad_a' },
  tie: { positive: 'legend_good_both', negative: 'legend_bad_both' },
  both_bad: { positive: '', negative: 'legend_bad_both' },
};

/** Events: `save` (detail: {reasons, comment}). */
export class Feedback extends EventTarget {
  #form;
  #boxes;
  #comment;
  #saved;
  #refusal;
  #limit;
  #isFilled = false;

  /**
   * @param {HTMLFormElement} form
   * @param {number} limit of the comment, in characters
   */
  constructor(form, limit) {
    super();
    this.#form = form;
    this.#limit = limit;
    this.#boxes = all('input[name="reason"]', form);
    this.#comment = one('[data-comment]', form);
    this.#saved = one('[data-saved]', form);
    this.#refusal = new Refusal(one('[data-error]', form));
    form.addEventListener('submit', (event) => this.#submit(event));
    form.addEventListener('input', () => this.#changed());
  }

  /** @param {import('./state.js').Battle} battle */
  update(battle) {
    this.#form.hidden = battle.phase !== 'revealed' || !battle.is_mine;
    if (this.#form.hidden || this.#isFilled) return;
    this.#isFilled = true;
    const legends = LEGENDS[/** @type {keyof typeof LEGENDS} */ (battle.vote.outcome)];
    for (const group of all('[data-reasons]', this.#form)) {
      const key = legends[/** @type {'positive' | 'negative'} */ (group.dataset.reasons)];
      group.hidden = !key;
      if (key) setText(one('[data-legend]', group), t(key));
    }
    for (const box of this.#boxes) box.checked = battle.vote.reasons.includes(box.value);
    this.#comment.value = battle.vote.comment;
  }

  saved() {
    setText(this.#saved, t('saved'));
  }

  /**
   * @param {string} message
   * @param {number} [seconds]
   */
  refuse(message, seconds) {
    setText(this.#saved, '');
    this.#refusal.show(message, seconds);
  }

  #changed() {
    setText(this.#saved, '');
    this.#refusal.clear();
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const comment = this.#comment.value;
    const n = length(comment);
    if (n > this.#limit) {
      return this.refuse(t('comment_too_long', { length: count(n), limit: count(this.#limit) }));
    }
    this.#refusal.clear();
    setText(this.#saved, t('saving'));
    const reasons = this.#boxes.filter((box) => box.checked && !box.closest('[hidden]')).map((box) => box.value);
    this.dispatchEvent(new CustomEvent('save', { detail: { reasons, comment } }));
  }
}

/**
 * Whether a battle's vote has these words already.
 * @param {import('./state.js').Battle} battle
 * @param {{reasons: string[], comment: string}} feedback
 */
export function holds({ vote }, { reasons, comment }) {
  return vote?.comment === comment && [...vote.reasons].sort().join() === [...reasons].sort().join();
}
