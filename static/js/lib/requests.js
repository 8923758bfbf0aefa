/**
 * What was asked of the server and is not yet done. A lost connection does not lose it: it is asked again, and
 * every request of these kinds may be asked twice without happening twice.
 *
 * @typedef {'start' | 'turn' | 'vote' | 'abstain' | 'feedback'} Kind
 * @typedef {(battle: import('./state.js').Battle) => boolean} Test
 */
export class Requests {
  #socket;
  /** @type {{kind: Kind, frame: object, isDone: Test} | null} */
  #open = null;

  /** @param {import('./socket.js').BattleSocket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /** @returns {Kind | ''} */
  get kind() {
    return this.#open?.kind ?? '';
  }

  /**
   * @param {Kind} kind
   * @param {object} fields of the frame
   * @param {Test} isDone whether a battle shows that it happened
   */
  ask(kind, fields, isDone) {
    this.#open = { kind, frame: { type: kind, ...fields }, isDone };
    this.#socket.send(this.#open.frame);
  }

  repeat() {
    if (this.#open) this.#socket.send(this.#open.frame);
  }

  /**
   * @param {import('./state.js').Battle} battle
   * @returns {Kind | ''} what is done now
   */
  settle(battle) {
    if (!this.#open?.isDone(battle)) return '';
    return this.drop();
  }

  /** @returns {Kind | ''} what is given up */
  drop() {
    const kind = this.kind;
    this.#open = null;
    return kind;
  }
}
