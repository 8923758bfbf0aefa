/** How this reader likes the page. Keys are a cookie, so that the server knows too; the rest stays here. */
const YEAR = 31_536_000;

/** @param {string} name */
function stored(name) {
  try {
    return localStorage.getItem(name) === 'on';
  } catch {
    return false;
  }
}

/**
 * @param {string} name
 * @param {boolean} isOn
 */
function store(name, isOn) {
  try {
    localStorage.setItem(name, isOn ? 'on' : 'off');
  } catch {
    // private windows may refuse; the choice then lasts as long as the page
  }
}

/** Events: `change`. */
export class Preferences extends EventTarget {
  #keys;
  #whole = stored('whole-answers');
  #raw = stored('plain-text');

  /** @param {boolean} keys */
  constructor(keys) {
    super();
    this.#keys = keys;
  }

  get keys() {
    return this.#keys;
  }

  set keys(isOn) {
    this.#keys = isOn;
    const secure = location.protocol === 'https:' ? '; secure' : '';
    document.cookie = `keys=${isOn ? 'on' : 'off'}; path=/; max-age=${YEAR}; samesite=lax${secure}`;
    this.dispatchEvent(new Event('change'));
  }

  /** Answers appear only once both are complete. */
  get whole() {
    return this.#whole;
  }

  set whole(isOn) {
    this.#whole = isOn;
    store('whole-answers', isOn);
    this.dispatchEvent(new Event('change'));
  }

  /** Answers as they were written, without formatting. */
  get raw() {
    return this.#raw;
  }

  set raw(isOn) {
    this.#raw = isOn;
    store('plain-text', isOn);
    this.dispatchEvent(new Event('change'));
  }
}
