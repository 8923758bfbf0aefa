/** A sentence about why something did not happen, with the seconds until it may. */
import { t } from './sentences.js';

export class Refusal {
  #node;
  #timer = 0;

  /** @param {HTMLElement} node with role="alert" */
  constructor(node) {
    this.#node = node;
  }

  /**
   * @param {string} message
   * @param {number} [seconds] until it is worth trying again
   */
  show(message, seconds = 0) {
    this.clear();
    this.#node.hidden = false;
    this.#node.append(message);
    if (seconds) this.#count(seconds);
  }

  clear() {
    clearInterval(this.#timer);
    this.#node.hidden = true;
    this.#node.replaceChildren();
  }

  /**
   * The count is for the eye only: read aloud every second it would be noise.
   * @param {number} seconds
   */
  #count(seconds) {
    const left = document.createElement('strong');
    left.className = 'nowrap';
    left.ariaHidden = 'true';
    const end = Date.now() + seconds * 1000;
    const tick = () => {
      const n = Math.ceil((end - Date.now()) / 1000);
      if (n <= 0) return this.clear();
      left.textContent = t('seconds_left', { seconds: n });
    };
    this.#node.append(' ', left);
    tick();
    this.#timer = setInterval(tick, 500);
  }
}
