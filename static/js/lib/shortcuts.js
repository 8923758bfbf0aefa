/** The battle page's keys, and the dialog that lists them and turns them off. */
import { all, one } from './dom.js';
import { Keys } from './keys.js';

/**
 * @param {HTMLElement} root
 * @param {import('./preferences.js').Preferences} preferences
 * @param {Record<string, () => void>} actions by key
 */
export function shortcuts(root, preferences, actions) {
  const dialog = /** @type {HTMLDialogElement} */ (one('[data-keys-dialog]', root));
  const open = () => dialog.showModal();
  const keys = new Keys(() => preferences.keys);
  for (const [key, action] of Object.entries(actions)) keys.on(key, action);
  keys.on('?', open);
  for (const button of all('[data-open-keys]', root)) button.addEventListener('click', open);
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  bind(one('[data-keys-switch]', root), preferences, 'keys');
  bind(one('[data-whole-switch]', root), preferences, 'whole');
  const show = () => (root.dataset.keys = preferences.keys ? 'on' : 'off');
  preferences.addEventListener('change', show);
}

/**
 * @param {HTMLInputElement} box
 * @param {import('./preferences.js').Preferences} preferences
 * @param {'keys' | 'whole'} name
 */
function bind(box, preferences, name) {
  box.checked = preferences[name];
  box.addEventListener('change', () => (preferences[name] = box.checked));
}
