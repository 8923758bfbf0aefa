/** Below the answers until the vote: the four votes, what stands in their way, and the next prompt. */
import { all, one, say, setText } from './dom.js';
import { Refusal } from './refusal.js';
import { t } from './sentences.js';

/**
 * @typedef {import('./state.js').Battle} Battle
 * @typedef {{unseen: import('./state.js').Side | null, isSlow: boolean, waitsFor: string}} Circumstances
 *     `waitsFor`: the kind of request that is on its way, or nothing
 */

/** Events: `vote` (detail: the outcome), `abstain`, `retry`, `stop`, `again` (stop, then retry). */
export class Dock extends EventTarget {
  #root;
  #hint;
  #refusal;
  #votes;
  #canVote = false;

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.#root = root;
    this.#hint = one('[data-vote-hint]', root);
    this.#refusal = new Refusal(one('[data-dock-error]', root));
    this.#votes = all('[data-outcome]', root);
    for (const button of this.#votes) button.addEventListener('click', () => this.vote(button.dataset.outcome));
    this.#on('[data-abstain]', () => this.abstain());
    for (const wish of ['retry', 'stop', 'again']) this.#on(`[data-${wish}]`, () => this.#wish(wish));
  }

  /** @param {string} outcome */
  vote(outcome) {
    if (this.#votes[0].closest('[hidden]')) return;
    if (this.#canVote) this.#wish('vote', outcome);
    else this.#flash();
  }

  abstain() {
    if (this.#canVote) this.#wish('abstain');
    else this.#flash();
  }

  /**
   * @param {string} message
   * @param {number} [seconds]
   */
  refuse(message, seconds) {
    this.#refusal.show(message, seconds);
  }

  /**
   * @param {Battle} battle
   * @param {Circumstances} now
   */
  update(battle, now) {
    this.#arrange(battle, now);
    // A control that had the focus may be gone; without this the next Tab would begin at the top of the page.
    const focused = document.activeElement;
    if (!this.#root.hidden && this.#root.contains(focused) && focused?.closest('[hidden]')) {
      this.#root.focus({ preventScroll: true });
    }
  }

  /**
   * @param {Battle} battle
   * @param {Circumstances} now
   */
  #arrange(battle, now) {
    const { phase } = battle;
    this.#root.hidden = !battle.is_mine || phase === 'revealed' || phase === 'abstained';
    this.#canVote = battle.can_vote && !now.unseen && !now.waitsFor;
    setText(this.#hint, hint(battle, now));
    this.#hint.classList.toggle('is-ready', this.#canVote);
    for (const button of this.#votes) button.setAttribute('aria-disabled', String(!this.#canVote));
    this.#show('[data-votes]', phase !== 'stuck');
    this.#show('[data-stuck]', phase === 'stuck');
    this.#show('[data-abstain]', phase === 'voting');
    this.#show('[data-again]', phase === 'answering' && now.isSlow);
    this.#show('[data-stop]', phase === 'answering');
    this.#show('[data-composer]', phase === 'answering' || battle.can_continue);
    this.#show('[data-composer] [data-send]', phase !== 'answering');
    this.#show('[data-composer] [data-box]', battle.turns.length < battle.turn_limit);
    const isLastTurn = phase === 'voting' && !battle.can_continue;
    say(one('[data-last-turn]', this.#root), isLastTurn ? t('last_turn') : '');
  }

  clearRefusal() {
    this.#refusal.clear();
  }

  /** Points at the sentence that says why a vote is not possible yet. */
  #flash() {
    this.#hint.classList.remove('is-flashing');
    requestAnimationFrame(() => this.#hint.classList.add('is-flashing'));
    this.dispatchEvent(new CustomEvent('blocked', { detail: this.#hint.textContent }));
  }

  /**
   * @param {string} selector
   * @param {boolean} isShown
   */
  #show(selector, isShown) {
    one(selector, this.#root).hidden = !isShown;
  }

  /**
   * @param {string} selector
   * @param {() => void} action
   */
  #on(selector, action) {
    one(selector, this.#root).addEventListener('click', action);
  }

  /**
   * @param {string} type
   * @param {string} [detail]
   */
  #wish(type, detail) {
    this.#refusal.clear();
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * @param {Battle} battle
 * @param {Circumstances} now
 */
function hint(battle, { unseen, isSlow, waitsFor }) {
  if (waitsFor === 'vote') return t('hint_sending');
  if (battle.phase === 'stuck') return t('hint_stuck');
  if (battle.phase === 'answering') return t(isSlow ? 'hint_slow' : 'hint_answering');
  return t(unseen ? `hint_unseen_${unseen}` : 'hint_ready');
}
