/** The battle page: joins the socket, the state and the parts of the page. Each of them knows nothing of the others. */
import { Announcer } from './lib/announcer.js';
import { Composer } from './lib/composer.js';
import { ConnectionLine } from './lib/connection.js';
import { copiesLink } from './lib/copy_link.js';
import { Dock } from './lib/dock.js';
import { all, data, one, setText } from './lib/dom.js';
import { forgetWish, makeWish, newKey, openWish } from './lib/drafts.js';
import { Feedback, holds } from './lib/feedback.js';
import { offerIdeas } from './lib/ideas.js';
import { Preferences } from './lib/preferences.js';
import { Requests } from './lib/requests.js';
import { comeBackTo } from './lib/return_address.js';
import { RevealView } from './lib/reveal.js';
import { Seen } from './lib/seen.js';
import { t } from './lib/sentences.js';
import { shortcuts } from './lib/shortcuts.js';
import { Sides } from './lib/sides.js';
import { BattleSocket } from './lib/socket.js';
import { BattleState, SIDES } from './lib/state.js';
import { Turns } from './lib/turns.js';
import { followLoading } from './lib/warming.js';

/** @typedef {import('./lib/state.js').Battle} Battle */
/** @typedef {import('./lib/pane.js').Pane} Pane */

const NEW = 'new';

class BattlePage {
  #root = one('#battle');
  #stage = one('[data-stage]', this.#root);
  #title = one('#stage-title', this.#stage);
  #preferences = new Preferences(this.#root.dataset.keys === 'on');
  #state = new BattleState(data('battle-state'));
  #home = this.#root.dataset.home;
  #socket = new BattleSocket(this.#socketPath());
  #requests = new Requests(this.#socket);
  #announcer = new Announcer(one('[data-announcer]', this.#root));
  #seen = new Seen();
  #sides = new Sides(this.#stage);
  #turns = new Turns(one('[data-turns]', this.#stage), this.#preferences, (pane) => this.#follow(pane));
  #dock = new Dock(one('[data-dock]', this.#stage));
  #reveal = new RevealView(one('[data-reveal]', this.#stage), this.#root.dataset.board);
  #feedback = new Feedback(one('[data-feedback]', this.#stage), Number(this.#root.dataset.commentLimit));
  #promptLimit = Number(this.#root.dataset.promptLimit);
  #ask = new Composer(one('[data-ask]', this.#root), this.#promptLimit, NEW);
  #next = new Composer(one('[data-composer]', this.#root), this.#promptLimit, this.#state.battle?.id ?? 'next');
  #copyLink = copiesLink(one('[data-copy-link]', this.#stage), () => this.#state.battle.url, this.#announcer);
  #isSlow = false;
  #retriesWhenStopped = false;
  #awaitsState = false;
  #isBack = false;

  constructor() {
    new ConnectionLine(one('[data-connection]', this.#root), this.#socket);
    this.#listenToSocket();
    this.#listenToPage();
    this.#bindKeys();
    offerIdeas(one('[data-ideas]', this.#root), (text) => {
      this.#ask.text = text;
      this.#ask.focus();
    });
    all('[data-warming]', this.#root).forEach(followLoading);
    if (this.#state.battle) this.#open(this.#state.battle);
    else this.#resumeWish();
  }

  /** @param {Battle} battle as the page was rendered */
  #open(battle) {
    this.#render();
    if (battle.is_mine && !battle.vote) this.#turns.showLast();
    if (battle.is_mine && battle.phase !== 'abstained') this.#socket.open();
  }

  /** A battle that was asked for before this page was loaded: by “same prompt, new models”, or before a reload. */
  #resumeWish() {
    const wish = openWish();
    if (!wish) return;
    this.#ask.text = wish.prompt;
    this.#start(wish);
  }

  /** @param {import('./lib/drafts.js').Wish} wish */
  #start(wish) {
    this.#ask.busy = t('starting');
    this.#requests.ask('start', wish, () => true);
  }

  // --- what the server says

  #listenToSocket() {
    const socket = this.#socket;
    socket.addEventListener('open', () => {
      this.#awaitsState = false;
      this.#isBack = true;
      if (!this.#state.battle) this.#requests.repeat();
    });
    socket.addEventListener('frame', (/** @type {CustomEvent} */ event) => this.#receive(event.detail));
    socket.addEventListener('end', () => {
      this.#requests.drop();
      this.#ask.busy = this.#next.busy = '';
      this.#render();
    });
  }

  /** @param {any} frame */
  #receive(frame) {
    const before = this.#state.battle?.phase;
    switch (this.#state.apply(frame)) {
      case 'state':
        this.#awaitsState = false;
        return this.#settle(before);
      case 'answer':
        this.#turns.updateAnswer(this.#state.battle, frame);
        this.#announcer.follow(this.#state.battle);
        return this.#look();
      case 'delta':
        this.#turns.append(frame);
        return this.#look();
      case 'error':
        return this.#refuse(frame);
      case 'gap':
        if (!this.#awaitsState) this.#socket.send({ type: 'sync' });
        this.#awaitsState = true;
    }
  }

  /** @param {string | undefined} before the phase until now */
  #settle(before) {
    const battle = /** @type {Battle} */ (this.#state.battle);
    if (!before) this.#arrive(battle);
    const done = this.#requests.settle(battle);
    if (done === 'turn') this.#next.sent();
    if (done === 'feedback') this.#feedback.saved();
    if (!done && this.#isBack) this.#requests.repeat();
    this.#isBack = false;
    if (battle.phase !== 'answering') this.#isSlow = false;
    const isNewTurn = battle.turns.length > this.#turns.count;
    this.#render();
    if (isNewTurn) this.#sides.keep();
    if (before === 'voting' && (battle.phase === 'revealed' || battle.phase === 'abstained')) this.#reveal.focus();
    if (this.#retriesWhenStopped && battle.can_retry) this.#socket.send({ type: 'retry' });
    if (battle.phase !== 'answering') this.#retriesWhenStopped = false;
  }

  /** The battle that was asked for here exists: the page becomes its page. */
  #arrive(/** @type {Battle} */ battle) {
    forgetWish();
    this.#ask.sent();
    this.#next.belongTo(battle.id);
    history.replaceState(null, '', battle.url);
    comeBackTo(battle.url);
    this.#socket.follow(this.#socketPath());
    document.title = `${this.#title.textContent} · Hakem`;
    this.#render();
    scrollTo({ top: 0, behavior: 'instant' });
    this.#title.focus({ preventScroll: true });
  }

  /** @param {{message: string, retry_after?: number}} error */
  #refuse({ message, retry_after: seconds }) {
    const kind = this.#requests.drop();
    this.#ask.busy = this.#next.busy = '';
    this.#render();
    if (kind === 'start' || !this.#state.battle) {
      forgetWish();
      this.#ask.refuse(message, seconds);
      this.#ask.focus();
    } else if (kind === 'turn') this.#next.refuse(message, seconds);
    else if (kind === 'feedback') this.#feedback.refuse(message, seconds);
    else this.#dock.refuse(message, seconds);
  }

  // --- what the reader does

  #listenToPage() {
    this.#ask.addEventListener('send', (/** @type {CustomEvent} */ event) => this.#start(makeWish(event.detail)));
    this.#next.addEventListener('send', (/** @type {CustomEvent} */ event) => this.#takeTurn(event.detail));
    this.#dock.addEventListener('vote', (/** @type {CustomEvent} */ event) => this.#vote(event.detail));
    this.#dock.addEventListener('abstain', () => {
      this.#requests.ask('abstain', {}, (battle) => battle.phase === 'abstained');
      this.#render();
    });
    this.#dock.addEventListener('blocked', (/** @type {CustomEvent} */ event) => this.#announcer.say(event.detail));
    this.#dock.addEventListener('stop', () => this.#socket.send({ type: 'stop' }));
    this.#dock.addEventListener('retry', () => this.#socket.send({ type: 'retry' }));
    this.#dock.addEventListener('again', () => {
      this.#retriesWhenStopped = true;
      this.#socket.send({ type: 'stop' });
    });
    this.#feedback.addEventListener('save', (/** @type {CustomEvent} */ event) => this.#save(event.detail));
    this.#seen.addEventListener('change', () => this.#renderDock());
    this.#preferences.addEventListener('change', () => this.#state.battle && this.#render());
    one('[data-raw]', this.#stage).addEventListener('click', () => this.#toggleRaw());
    one('[data-rematch]', this.#stage).addEventListener('click', () => this.#rematch());
  }

  #bindKeys() {
    shortcuts(this.#root, this.#preferences, {
      1: () => this.#dock.vote('a'),
      2: () => this.#dock.vote('tie'),
      3: () => this.#dock.vote('both_bad'),
      4: () => this.#dock.vote('b'),
      n: () => (this.#state.battle ? location.assign(this.#home) : this.#ask.focus()),
      '/': () => (this.#state.battle ? this.#next : this.#ask).focus(),
      Escape: () => this.#state.battle?.phase === 'answering' && this.#socket.send({ type: 'stop' }),
      '[': () => this.#goTo('a'),
      ']': () => this.#goTo('b'),
      m: () => this.#state.battle && this.#toggleRaw(),
      c: () => this.#state.battle?.reveal && this.#copyLink(),
    });
  }

  /** @param {string} prompt */
  #takeTurn(prompt) {
    const battle = /** @type {Battle} */ (this.#state.battle);
    if (!battle.can_continue) return this.#next.refuse(t('hint_answering'));
    const n = battle.turns.length;
    this.#next.busy = t('sending');
    this.#requests.ask('turn', { key: newKey(), prompt }, (now) => now.turns[n]?.prompt === prompt.trim());
    this.#renderDock();
  }

  /** @param {string} outcome */
  #vote(outcome) {
    this.#requests.ask('vote', { outcome }, (battle) => battle.phase === 'revealed');
    this.#renderDock();
  }

  /** @param {{reasons: string[], comment: string}} feedback */
  #save(feedback) {
    if (holds(this.#state.battle, feedback)) return this.#feedback.saved();
    this.#requests.ask('feedback', feedback, (battle) => holds(battle, feedback));
  }

  #rematch() {
    const battle = /** @type {Battle} */ (this.#state.battle);
    makeWish(battle.turns[0].prompt, battle.id);
    location.assign(this.#home);
  }

  #toggleRaw() {
    this.#preferences.raw = !this.#preferences.raw;
    this.#announcer.say(t(this.#preferences.raw ? 'announce_raw' : 'announce_formatted'));
  }

  /** @param {import('./lib/state.js').Side} side */
  #goTo(side) {
    if (!this.#turns.last) return;
    this.#sides.show(side);
    this.#turns.last[side].focus();
  }

  // --- what the page shows

  #render() {
    const battle = this.#state.battle;
    if (!battle) return;
    one('[data-start]', this.#root).hidden = true;
    this.#stage.hidden = false;
    this.#stage.dataset.phase = battle.phase;
    setText(one('[data-turn-count]', this.#stage), t('turn_count', { turn: battle.turns.length, limit: battle.turn_limit }));
    one('[data-raw]', this.#stage).setAttribute('aria-pressed', String(this.#preferences.raw));
    this.#turns.update(battle);
    this.#reveal.update(battle);
    if (battle.reveal) this.#sides.name(battle.reveal);
    this.#feedback.update(battle);
    this.#announcer.follow(battle);
    this.#look();
  }

  #look() {
    this.#seen.check();
    this.#renderDock();
  }

  #renderDock() {
    const { battle } = this.#state;
    const last = this.#turns.last;
    if (!battle || !last) return;
    const isUnseen = (/** @type {import('./lib/state.js').Side} */ side) => !this.#seen.has(last[side]);
    const unseen = SIDES.find(isUnseen) ?? null;
    this.#dock.update(battle, { unseen, isSlow: this.#isSlow, waitsFor: this.#requests.kind });
    const marks = battle.is_mine && (battle.phase === 'answering' || battle.phase === 'voting');
    this.#sides.markUnseen({ a: marks && isUnseen('a'), b: marks && isUnseen('b') });
  }

  /** @param {Pane} pane */
  #follow(pane) {
    this.#seen.watch(pane);
    pane.addEventListener('copied', () => this.#announcer.say(t('copied')));
    pane.addEventListener('slow', () => {
      this.#isSlow = true;
      this.#renderDock();
    });
  }

  #socketPath() {
    const { battle } = this.#state;
    return this.#root.dataset.socket + (battle ? `${battle.id}/` : '');
  }
}

new BattlePage();
