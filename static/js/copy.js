/** `<button data-copy="text">` or `<button data-copy-from="#id">`: copies, and says so in the button's own words. */
import { copy } from './lib/clipboard.js';

const SHOWN_FOR = 2_000;

/** The button's own text, beside its icon. */
function words(/** @type {HTMLElement} */ button) {
  return [...button.childNodes].findLast((node) => node instanceof Text && node.data.trim()) ?? button;
}

/** @param {HTMLElement} button */
async function copyFor(button) {
  if (button.ariaBusy === 'true') return;
  const source = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom)?.textContent : button.dataset.copy;
  if (!(await copy(source?.trim() ?? ''))) return;
  const label = button.querySelector('[data-label]') ?? words(button);
  const before = label.textContent;
  label.textContent = button.dataset.copied ?? '✓';
  button.ariaBusy = 'true';
  setTimeout(() => {
    label.textContent = before;
    button.ariaBusy = 'false';
  }, SHOWN_FOR);
}

document.addEventListener('click', (event) => {
  const button = /** @type {Element} */ (event.target).closest('[data-copy], [data-copy-from]');
  if (button) copyFor(/** @type {HTMLElement} */ (button));
});
