/** Which answers were on the screen: nobody can judge what they did not look at. */
const WIDTH = 0.6;
const ENOUGH_PIXELS = 120;

/** @param {IntersectionObserverEntry} entry */
function isOnScreen({ intersectionRect: seen, boundingClientRect: whole }) {
  return seen.width >= whole.width * WIDTH && seen.height >= Math.min(ENOUGH_PIXELS, whole.height / 2);
}

/** Events: `change`. */
export class Seen extends EventTarget {
  /** @type {Map<Element, import('./pane.js').Pane>} */
  #panes = new Map();
  /** @type {Set<import('./pane.js').Pane>} */
  #visible = new Set();
  /** @type {Set<import('./pane.js').Pane>} */
  #seen = new Set();
  #observer = new IntersectionObserver((entries) => this.#look(entries), { threshold: [0, 0.2, 0.4, 0.6, 0.8, 1] });

  constructor() {
    super();
    document.addEventListener('visibilitychange', () => this.check());
  }

  /** @param {import('./pane.js').Pane} pane */
  watch(pane) {
    this.#panes.set(pane.root, pane);
    this.#observer.observe(pane.root);
  }

  /** @param {import('./pane.js').Pane} pane */
  has(pane) {
    return this.#seen.has(pane);
  }

  /** Looks again: something to read may have appeared in a pane that already was on the screen. */
  check() {
    if (document.visibilityState !== 'visible') return;
    const before = this.#seen.size;
    for (const pane of this.#visible) if (pane.isReadable) this.#seen.add(pane);
    if (this.#seen.size > before) this.dispatchEvent(new Event('change'));
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #look(entries) {
    for (const entry of entries) {
      const pane = this.#panes.get(entry.target);
      if (pane && isOnScreen(entry)) this.#visible.add(pane);
      else if (pane) this.#visible.delete(pane);
    }
    this.check();
  }
}
