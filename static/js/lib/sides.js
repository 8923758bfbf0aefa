/** On narrow screens one answer is shown at a time: swipe, or use the switch. All turns keep to the same side. */
import { all, one, scrolling, setText } from './dom.js';
import { SIDES } from './state.js';

/** @typedef {import('./state.js').Side} Side */

export class Sides {
  /** @type {Side} */
  #side = 'a';
  #root;
  #buttons;

  /** @param {HTMLElement} stage */
  constructor(stage) {
    this.#root = stage;
    this.#buttons = all('[data-show-side]', stage);
    for (const button of this.#buttons) button.addEventListener('click', () => this.show(button.dataset.showSide));
    // scroll events do not bubble, but they can be captured on their way down
    stage.addEventListener('scroll', (event) => this.#scrolled(/** @type {Element} */ (event.target)), true);
    // Turning the phone moves what is scrolled; the reader stays with the answer they were reading.
    new ResizeObserver(() => this.keep()).observe(stage);
  }

  get isNarrow() {
    const pair = this.#root.querySelector('[data-sides]');
    return Boolean(pair && pair.scrollWidth > pair.clientWidth + 8);
  }

  /** @param {Side} side */
  show(side) {
    for (const pair of all('[data-sides]', this.#root)) this.#scroll(pair, side);
    this.#mark(side);
  }

  /** Brings every turn, a new one too, to the side that is being read. */
  keep() {
    for (const pair of all('[data-sides]', this.#root)) this.#scroll(pair, this.#side, 'instant');
  }

  /**
   * After the vote the switch says who it is.
   * @param {Record<Side, {name: string}>} contenders
   */
  name(contenders) {
    for (const side of SIDES) setText(one(`[data-side-name="${side}"]`, this.#root), contenders[side].name);
  }

  /** @param {Record<Side, boolean>} unseen */
  markUnseen(unseen) {
    for (const side of SIDES) one(`[data-unseen="${side}"]`, this.#root).hidden = !unseen[side];
  }

  /**
   * @param {Element} pair
   * @param {Side} side
   */
  #scroll(pair, side, behavior = scrolling()) {
    const left = side === 'a' ? 0 : pair.scrollWidth - pair.clientWidth;
    if (Math.abs(pair.scrollLeft - left) > 1) pair.scrollTo({ left, behavior });
  }

  /** @param {Element} target */
  #scrolled(target) {
    if (!target.matches?.('[data-sides]') || !this.isNarrow) return;
    const share = target.scrollLeft / (target.scrollWidth - target.clientWidth);
    const side = share > 0.5 ? 'b' : 'a';
    if (side === this.#side) return;
    this.#mark(side);
    for (const pair of all('[data-sides]', this.#root)) if (pair !== target) this.#scroll(pair, side);
  }

  /** @param {Side} side */
  #mark(side) {
    this.#side = side;
    for (const button of this.#buttons) button.setAttribute('aria-pressed', String(button.dataset.showSide === side));
  }
}
