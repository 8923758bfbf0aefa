/** Three ideas for a prompt, of three categories; others on request. */
import { all, one } from './dom.js';

const SHOWN = 3;

/**
 * @param {any[]} items
 * @returns {any[]} in random order
 */
function shuffled(items) {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Prefers ideas that were not on the screen, and never shows two of one category. */
function others(/** @type {HTMLElement[]} */ items) {
  const order = shuffled(items).sort((a, b) => Number(b.hidden) - Number(a.hidden));
  /** @type {Map<string, HTMLElement>} */
  const chosen = new Map();
  for (const item of order) {
    const category = item.dataset.category ?? '';
    if (chosen.size < SHOWN && !chosen.has(category)) chosen.set(category, item);
  }
  return [...chosen.values()];
}

/**
 * @param {HTMLElement} root
 * @param {(text: string) => void} onChoose
 */
export function offerIdeas(root, onChoose) {
  const list = one('ul', root);
  const items = all('li', list);
  const show = () => {
    const chosen = others(items);
    for (const item of items) item.hidden = !chosen.includes(item);
    list.append(...chosen);
  };
  list.addEventListener('click', (/** @type {MouseEvent} */ event) => {
    const button = /** @type {Element} */ (event.target).closest('button');
    if (button) onChoose(one('[data-text]', button).textContent);
  });
  one('[data-shuffle]', root).addEventListener('click', show);
}
