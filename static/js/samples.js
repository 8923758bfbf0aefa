/** j and k move through the list of samples, or from one sample to the next within the filter. Links do all the work. */
import { all } from './lib/dom.js';
import { Keys } from './lib/keys.js';

const list = document.querySelector('[data-samples]');
const one = document.querySelector('[data-sample]');
const keys = new Keys(() => (list ?? one)?.getAttribute('data-keys') !== 'off');

if (list) {
  const links = all('th a', list).filter((link) => link.closest('tbody'));
  const step = (/** @type {number} */ by) => {
    const at = links.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by;
    links[next]?.focus();
  };
  keys.on('j', () => step(1)).on('k', () => step(-1));
}

if (one) {
  for (const link of all('[data-key]', one)) keys.on(link.dataset.key, () => link.click());
}
