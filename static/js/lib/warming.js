/** Says how many models are loaded, until all of them are. */
import { say } from './dom.js';

const ASK_EVERY_MS = 2000;

/** @param {HTMLElement} note with the address to ask in `data-warming`, and its words in an element with role="status" */
export function followLoading(note) {
  const words = /** @type {HTMLElement} */ (note.querySelector('[role=status]'));
  const timer = setInterval(async () => {
    const isGone = !note.isConnected || note.closest('[hidden]');
    if (isGone) return clearInterval(timer);
    if (document.hidden) return;
    const now = await ask(note.dataset.warming ?? '');
    if (now === null) return;
    say(words, now);
    note.hidden = !now;
  }, ASK_EVERY_MS);
}

/**
 * @param {string} address
 * @returns {Promise<string | null>} null when it could not be asked; the next time may be better
 */
async function ask(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: 'application/json' } });
    return answer.ok ? (await answer.json()).words : null;
  } catch {
    return null;
  }
}
