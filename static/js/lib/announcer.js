/** What somebody who does not see the page hears of a battle: its turns, never the stream. */
import { SIDES, isLive } from './state.js';
import { t } from './sentences.js';

export class Announcer {
  #node;
  #last = '';

  /** @param {HTMLElement} node with role="status" */
  constructor(node) {
    this.#node = node;
  }

  /** @param {string} text */
  say(text) {
    this.#node.textContent = text;
  }

  /** @param {import('./state.js').Battle} battle */
  follow(battle) {
    const turn = battle.turns[battle.turns.length - 1];
    const ended = SIDES.filter((side) => !isLive(turn.answers[side]));
    const moment = [battle.phase, turn.index, ...ended].join(' ');
    if (moment === this.#last) return;
    const isFirst = !this.#last;
    this.#last = moment;
    const text = sentence(battle, ended);
    if (text && !(isFirst && battle.phase !== 'answering')) this.say(text);
  }
}

/**
 * @param {import('./state.js').Battle} battle
 * @param {import('./state.js').Side[]} ended
 */
function sentence(battle, ended) {
  switch (battle.phase) {
    case 'answering':
      return ended.length === 1 ? t(`announce_complete_${ended[0]}`) : t('announce_writing');
    case 'voting':
      return t('announce_can_vote');
    case 'stuck':
      return t('hint_stuck');
    case 'revealed':
      return t('announce_revealed', { a: battle.reveal.a.name, b: battle.reveal.b.name });
    default:
      return t('abstained_note');
  }
}
