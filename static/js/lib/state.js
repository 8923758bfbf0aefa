/**
 * A battle as the server tells it, frame by frame. Pure; mirrors arena/protocol.py.
 *
 * @typedef {'a' | 'b'} Side
 * @typedef {'answering' | 'voting' | 'stuck' | 'revealed' | 'abstained'} Phase
 * @typedef {{attempt: number, state: string, text: string, message: string, truncated: boolean}} Answer
 * @typedef {{index: number, prompt: string, answers: Record<Side, Answer>, replaced: Side[]}} Turn
 * @typedef {{outcome: string, reasons: string[], comment: string}} Vote
 * @typedef {{rating: number, lower: number, upper: number, rank_lower: number, rank_upper: number,
 *            n_votes: number, preliminary: boolean}} Standing
 * @typedef {{name: string, slug: string, organisation: string, licence: string, parameters: string,
 *            standing: Standing | null, standing_note: string, seconds: number | null, tokens: number | null,
 *            replaced: string[]}} Contender
 * @typedef {{a: Contender, b: Contender, expected_a: number | null, wins_a: number, wins_b: number,
 *            ties: number}} Reveal
 * @typedef {{id: string, url: string, phase: Phase, turns: Turn[], turn_limit: number, can_vote: boolean,
 *            can_continue: boolean, can_retry: boolean, is_mine: boolean, vote: Vote | null,
 *            reveal: Reveal | null}} Battle
 */

/** @type {Side[]} */
export const SIDES = ['a', 'b'];

export class BattleState {
  /** @type {Battle | null} */
  battle;
  #seq = NaN;

  /** @param {Battle | null} battle as the page was rendered; the first frame brings the number that it lacks */
  constructor(battle) {
    this.battle = battle;
  }

  get lastTurn() {
    return this.battle.turns[this.battle.turns.length - 1];
  }

  /**
   * @param {any} frame
   * @returns {'state' | 'delta' | 'answer' | 'error' | 'stale' | 'gap'} what it was; after a gap, ask for all
   */
  apply(frame) {
    if (frame.type === 'error') {
      if (frame.seq === this.#seq + 1) this.#seq = frame.seq;
      return 'error';
    }
    if (frame.type === 'state') {
      this.battle = frame.battle;
      this.#seq = frame.seq;
      return 'state';
    }
    if (frame.seq <= this.#seq) return 'stale';
    if (frame.seq !== this.#seq + 1) return 'gap';
    this.#seq = frame.seq;
    return this.#change(frame);
  }

  /** @param {any} frame */
  #change(frame) {
    const answer = this.battle.turns.find((turn) => turn.index === frame.turn)?.answers[/** @type {Side} */ (frame.side)];
    if (!answer || frame.attempt < answer.attempt) return answer ? 'stale' : 'gap';
    if (frame.type === 'delta') {
      if (frame.attempt > answer.attempt) return 'gap';
      answer.text += frame.text;
      if (answer.state === 'waiting') answer.state = 'streaming';
      return 'delta';
    }
    if (frame.attempt > answer.attempt) answer.text = '';
    if (frame.state === 'replaced') this.#replace(frame);
    const { attempt, state, message, truncated } = frame;
    Object.assign(answer, { attempt, state, message, truncated });
    return 'answer';
  }

  /** @param {{turn: number, side: Side}} place where another model takes over */
  #replace({ turn: index, side }) {
    const turn = this.battle.turns.find((turn) => turn.index === index);
    if (!turn.replaced.includes(side)) turn.replaced.push(side);
  }
}

/** @param {Answer} answer */
export function isLive(answer) {
  return answer.state === 'waiting' || answer.state === 'streaming' || answer.state === 'replaced';
}
