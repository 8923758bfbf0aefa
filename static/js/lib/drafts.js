/**
 * What was typed or asked for and is not yet with the server: survives a reload, ends with the tab.
 *
 * @typedef {{key: string, prompt: string, rematch_of?: string}} Wish a battle that is to begin
 */
const WISH = 'battle-wish';
const WISH_LIFE = 120_000;

/** @param {string} name */
function read(name) {
  try {
    return sessionStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {string} name
 * @param {string} text nothing forgets it
 */
function write(name, text) {
  try {
    if (text) sessionStorage.setItem(name, text);
    else sessionStorage.removeItem(name);
  } catch {
    // storage may be refused or full; then a reload loses the draft, and nothing else
  }
}

export const readDraft = (/** @type {string} */ battle) => read(`draft-${battle}`);
export const keepDraft = (/** @type {string} */ battle, /** @type {string} */ text) => write(`draft-${battle}`, text);

/** A random id. Works without HTTPS too, where `randomUUID` is missing. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Remembers a wish under a new key, so that asking for it again begins nothing twice.
 * @param {string} prompt
 * @param {string} [rematchOf]
 * @returns {Wish}
 */
export function makeWish(prompt, rematchOf) {
  const wish = { key: newKey(), prompt, ...(rematchOf && { rematch_of: rematchOf }) };
  write(WISH, JSON.stringify({ wish, at: Date.now() }));
  return wish;
}

/** @returns {Wish | null} */
export function openWish() {
  const text = read(WISH);
  if (!text) return null;
  const { wish, at } = JSON.parse(text);
  return Date.now() - at < WISH_LIFE ? wish : null;
}

export function forgetWish() {
  write(WISH, '');
}
