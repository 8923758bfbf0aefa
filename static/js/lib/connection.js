/** The line at the top of the page that tells of a lost connection. Silent about interruptions nobody would notice. */
import { say } from './dom.js';
import { t } from './sentences.js';

const UNNOTICED = 700;
const NOT_FOUND = 4404;
const NO_COOKIE = 4401;

export class ConnectionLine {
  #node;
  #timer = 0;

  /**
   * @param {HTMLElement} node
   * @param {import('./socket.js').BattleSocket} socket
   */
  constructor(node, socket) {
    this.#node = node;
    socket.addEventListener('open', () => this.#show(''));
    socket.addEventListener('down', () => {
      this.#timer ||= setTimeout(() => this.#show(t('connection_lost')), UNNOTICED);
    });
    socket.addEventListener('end', (/** @type {CustomEvent} */ event) => this.#show(reason(event.detail)));
  }

  /** @param {string} text */
  #show(text) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    say(this.#node, text);
  }
}

/** @param {number} code */
function reason(code) {
  if (code === NO_COOKIE) return t('connection_no_cookie');
  return t(code === NOT_FOUND ? 'connection_not_found' : 'connection_refused');
}
