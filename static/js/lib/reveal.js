/** After the vote: who wrote which, how they stand, and why it was preferred. */
import { all, one, say, scrolling, setText } from './dom.js';
import { count, percent, range, rating, seconds } from './numbers.js';
import { factsOf } from './pane.js';
import { t } from './sentences.js';
import { SIDES } from './state.js';
import { Scale, axis, whisker } from './whiskers.js';

/** @typedef {import('./state.js').Battle} Battle */

const EVEN = 0.005;

export class RevealView {
  #root;
  #title;
  #board;
  #shown = '';

  /**
   * @param {HTMLElement} root
   * @param {string} board address of the leaderboard
   */
  constructor(root, board) {
    this.#root = root;
    this.#title = one('[data-verdict]', root);
    this.#board = board;
  }

  /** Brings the heading and the names onto the screen, and moves the answers no further than that needs. */
  focus() {
    this.#title.focus({ preventScroll: true });
    const last = one('[data-contenders]', this.#root);
    (last.hidden ? this.#title : last).scrollIntoView({ block: 'nearest', behavior: scrolling() });
  }

  /** @param {Battle} battle */
  update(battle) {
    const isOver = battle.phase === 'revealed' || battle.phase === 'abstained';
    this.#root.hidden = !isOver;
    const words = isOver ? JSON.stringify([battle.phase, battle.reveal, battle.vote?.outcome]) : '';
    if (words === this.#shown) return;
    this.#shown = words;
    if (!isOver) return;
    setText(this.#title, verdict(battle));
    setText(one('[data-facts]', this.#root), facts(battle));
    one('[data-contenders]', this.#root).hidden = !battle.reveal;
    one('[data-copy-link]', this.#root).hidden = !battle.reveal;
    if (battle.reveal) this.#showContenders(battle);
  }

  /** @param {Battle} battle */
  #showContenders({ reveal, vote, is_mine: isMine }) {
    const standings = SIDES.map((side) => reveal[side].standing).filter((standing) => standing !== null);
    const scale = standings.length ? new Scale(standings) : null;
    for (const side of SIDES) {
      const item = one(`[data-contender="${side}"]`, this.#root);
      item.classList.toggle('is-preferred', vote?.outcome === side);
      one('[data-your-vote]', item).hidden = !(isMine && vote?.outcome === side);
      this.#fill(item, reveal[side]);
      const { standing } = reveal[side];
      one('[data-whisker]', item).replaceChildren(...(scale && standing ? [whisker(scale, standing, side)] : []));
    }
    one('[data-scale]', this.#root).hidden = !scale;
    one('[data-axis]', this.#root).replaceChildren(...(scale ? [axis(scale)] : []));
  }

  /**
   * @param {HTMLElement} item
   * @param {import('./state.js').Contender} contender
   */
  #fill(item, contender) {
    const { standing } = contender;
    const slot = (/** @type {string} */ name) => one(`[data-slot="${name}"]`, item);
    setText(slot('name'), contender.name);
    slot('name').href = `${this.#board}#${encodeURIComponent(contender.slug)}`;
    setText(slot('facts'), factsOf(contender));
    say(slot('replaced'), contender.replaced.length ? t('replaced_before', { names: contender.replaced.join(', ') }) : '');
    for (const node of all('[data-rated]', item)) node.hidden = !standing;
    say(slot('unrated'), standing ? '' : contender.standing_note);
    setText(slot('time'), contender.seconds === null ? '–' : seconds(contender.seconds));
    setText(slot('tokens'), contender.tokens === null ? '–' : count(contender.tokens));
    setText(slot('rank'), standing ? range(standing.rank_lower, standing.rank_upper) : '–');
    if (!standing) return;
    setText(slot('rating'), rating(standing.rating));
    setText(slot('interval'), `${rating(standing.lower)}–${rating(standing.upper)}`);
    say(slot('preliminary'), standing.preliminary ? t('preliminary', { votes: count(standing.n_votes) }) : '');
  }
}

/** @param {Battle} battle */
function verdict({ phase, vote, is_mine: isMine }) {
  if (phase === 'abstained') return t('verdict_abstained');
  return t(`verdict_${isMine ? 'mine' : 'other'}_${vote.outcome}`);
}

/** @param {Battle} battle */
function facts({ phase, reveal }) {
  if (phase === 'abstained') return t('abstained_note');
  return [expectation(reveal), meetings(reveal)].filter(Boolean).join(' ');
}

/** @param {import('./state.js').Reveal} reveal */
function expectation({ expected_a: a }) {
  if (a === null) return '';
  if (Math.abs(a - 0.5) < EVEN) return t('expected_even');
  return a > 0.5 ? t('expected_a', { percent: percent(a) }) : t('expected_b', { percent: percent(1 - a) });
}

/** @param {import('./state.js').Reveal} reveal */
function meetings({ wins_a, wins_b, ties }) {
  if (wins_a + wins_b + ties <= 1) return t('first_meeting');
  return t('head_to_head', { wins_a: count(wins_a), wins_b: count(wins_b), ties: count(ties) });
}
