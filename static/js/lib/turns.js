/** The turns of a battle: prompts, and under each its two panes. */
import { all, copyOf, one, scrolling, setText } from './dom.js';
import { Pane } from './pane.js';
import { t } from './sentences.js';
import { SIDES } from './state.js';

/** @typedef {import('./state.js').Battle} Battle */
/** @typedef {Record<import('./state.js').Side, Pane>} Pair */

export class Turns {
  #list;
  #preferences;
  #onPane;
  /** @type {Pair[]} */
  #pairs = [];

  /**
   * @param {HTMLElement} list
   * @param {import('./preferences.js').Preferences} preferences
   * @param {(pane: Pane) => void} onPane told of every new pane
   */
  constructor(list, preferences, onPane) {
    this.#list = list;
    this.#preferences = preferences;
    this.#onPane = onPane;
  }

  get count() {
    return this.#pairs.length;
  }

  /** @returns {Pair | undefined} */
  get last() {
    return this.#pairs[this.#pairs.length - 1];
  }

  /** @param {Battle} battle */
  update(battle) {
    const known = this.#pairs.length;
    for (const turn of battle.turns) {
      this.#pairs[turn.index] ??= this.#open(turn);
      this.#paint(battle, turn);
    }
    const items = all('[data-turn]', this.#list);
    items.forEach((item, i) => item.classList.toggle('is-past', i < items.length - 1));
    if (known && this.#pairs.length > known) this.showLast();
  }

  /** Brings the newest turn to the top of the screen. The first is there already. */
  showLast() {
    if (this.#pairs.length < 2) return;
    one('[data-turn]:last-child', this.#list).scrollIntoView({ block: 'start', behavior: scrolling() });
  }

  /**
   * @param {Battle} battle
   * @param {{turn: number, side: import('./state.js').Side}} place whose state changed
   */
  updateAnswer(battle, place) {
    this.#paint(battle, battle.turns.find((turn) => turn.index === place.turn), [place.side]);
  }

  /** @param {{turn: number, side: import('./state.js').Side, text: string}} delta */
  append({ turn, side, text }) {
    this.#pairs[turn][side].append(text);
  }

  /**
   * @param {Battle} battle
   * @param {import('./state.js').Turn} turn
   */
  #paint(battle, turn, sides = SIDES) {
    const isLast = turn.index === battle.turns.length - 1;
    const isHeld = this.#preferences.whole && battle.phase === 'answering' && isLast;
    for (const side of sides) {
      this.#pairs[turn.index][side].update(turn.answers[side], {
        isHeld,
        contender: battle.reveal?.[side] ?? null,
        isPreferred: battle.is_mine && battle.vote?.outcome === side,
        isReplacement: turn.replaced.includes(side),
      });
    }
  }

  /**
   * @param {import('./state.js').Turn} turn
   * @returns {Pair}
   */
  #open(turn) {
    let item = this.#list.querySelector(`[data-turn="${turn.index}"]`);
    if (!item) {
      item = copyOf('turn-template');
      item.dataset.turn = turn.index;
      one('[data-prompt]', item).textContent = turn.prompt;
      this.#list.append(item);
    }
    setText(one('h2', item), t('turn_heading', { turn: turn.index + 1 }));
    foldable(item);
    const panes = SIDES.map((side) => new Pane(one(`[data-side="${side}"]`, item), turn.index, this.#preferences));
    panes.forEach(this.#onPane);
    return { a: panes[0], b: panes[1] };
  }
}

/** A long prompt shows its beginning, and the rest on request. */
function foldable(/** @type {HTMLElement} */ item) {
  const text = one('[data-prompt]', item);
  const more = one('[data-prompt-more]', item);
  const isOpen = () => more.getAttribute('aria-expanded') === 'true';
  more.addEventListener('click', () => {
    more.setAttribute('aria-expanded', String(!isOpen()));
    setText(more, t(isOpen() ? 'show_less' : 'show_all'));
    text.classList.toggle('is-open', isOpen());
  });
  new ResizeObserver(() => {
    more.hidden = !isOpen() && text.scrollHeight <= text.clientHeight + 1;
  }).observe(text);
}
