/** The battle's line to the server. Comes back by itself, ever more patiently, until it is told not to. */
const FIRST_DELAY = 400;
const LONGEST_DELAY = 15_000;
/** Close codes from here to 4499 say that coming back would be pointless. */
const FINAL_CODES = 4400;

/**
 * Events: `open`; `frame` (detail: the frame); `down` when it will come back; `end` (detail: the code) when not.
 */
export class BattleSocket extends EventTarget {
  #path;
  /** @type {WebSocket | null} */
  #socket = null;
  #failures = 0;
  #timer = 0;

  /** @param {string} path */
  constructor(path) {
    super();
    this.#path = path;
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#hurry());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Where to come back to, once the battle has an address. */
  follow(/** @type {string} */ path) {
    this.#path = path;
  }

  open() {
    if (this.#socket && this.#socket.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener('open', () => this.#opened());
    socket.addEventListener('message', (event) => this.#tell('frame', JSON.parse(event.data)));
    socket.addEventListener('close', (event) => socket === this.#socket && this.#closed(event.code));
  }

  /**
   * @param {object} frame
   * @returns {boolean} whether it went out; if not, say it again after `open`
   */
  send(frame) {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
    else this.open();
    return this.isOpen;
  }

  #opened() {
    this.#failures = 0;
    this.#tell('open');
  }

  /** @param {number} code */
  #closed(code) {
    this.#socket = null;
    if (code >= FINAL_CODES && code < FINAL_CODES + 100) return this.#tell('end', code);
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.open(), delay);
    this.#tell('down');
  }

  #hurry() {
    if (this.#timer) this.open();
  }

  /**
   * @param {string} type
   * @param {any} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
