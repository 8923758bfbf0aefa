/** Copying, also on plain http, where browsers offer no clipboard object. */

/** @param {string} text */
function copyBySelection(text) {
  const box = document.createElement('textarea');
  box.value = text;
  box.className = 'visually-hidden';
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  (document.querySelector('dialog[open]') ?? document.body).append(box);
  box.select();
  const worked = document.execCommand('copy');
  box.remove();
  before?.focus({ preventScroll: true });
  return worked;
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard now
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}
