/** The button that copies a battle's address and says so in its own words. */
import { copy } from './clipboard.js';
import { one, setText } from './dom.js';
import { t } from './sentences.js';

const COPIED_FOR = 2_000;

/**
 * @param {HTMLElement} button
 * @param {() => string} address
 * @param {import('./announcer.js').Announcer} announcer
 * @returns {() => Promise<void>} what the button does, for a key to do too
 */
export function copiesLink(button, address, announcer) {
  const label = one('[data-label]', button);
  const before = label.textContent;
  const act = async () => {
    const words = t((await copy(new URL(address(), location.href).href)) ? 'copied' : 'copy_failed');
    setText(label, words);
    announcer.say(words);
    setTimeout(() => setText(label, before), COPIED_FOR);
  };
  button.addEventListener('click', act);
  return act;
}
