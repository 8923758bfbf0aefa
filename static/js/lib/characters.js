/**
 * Text nodes in which characters that hide or reorder what a reader sees are replaced by a mark.
 *
 * Marked: control characters, bidi embeddings, overrides and isolates, zero-width and other
 * characters without a glyph. Left alone because languages and emoji need them: the joiners
 * (U+200C, U+200D), the plain direction marks (U+200E, U+200F, U+061C), variation selectors,
 * and tag characters in a flag.
 */

const FLAG_WITH_TAGS = '\\u{1F3F4}[\\u{E0020}-\\u{E007F}]+';
const HIDDEN =
  '[\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F' +
  '\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180E\\u200B\\u2028-\\u202E\\u2060-\\u206F' +
  '\\u3164\\uFEFF\\uFFA0\\uFFF9-\\uFFFB\\u{E0000}-\\u{E007F}]';
const PATTERN = new RegExp(`${FLAG_WITH_TAGS}|(${HIDDEN})\\1*`, 'gu');

/**
 * Append text to a node, hidden characters shown.
 *
 * @param {Node} parent
 * @param {string} text
 */
export function appendText(parent, text) {
  let end = 0;
  for (const match of text.matchAll(PATTERN)) {
    const [run, character] = match;
    if (character === undefined) continue;
    appendPlain(parent, text.slice(end, match.index));
    parent.appendChild(mark(character, run.length / character.length));
    end = match.index + run.length;
  }
  appendPlain(parent, text.slice(end));
}

/**
 * @param {Node} parent
 * @param {string} text
 */
function appendPlain(parent, text) {
  if (text) parent.appendChild(document.createTextNode(text));
}

/**
 * @param {string} character
 * @param {number} times how often it stands in a row
 * @returns {HTMLElement}
 */
function mark(character, times) {
  const element = document.createElement('span');
  element.className = 'md-char';
  element.textContent = nameOf(character.codePointAt(0) ?? 0) + (times > 1 ? `×${times}` : '');
  return element;
}

/**
 * The control pictures for the old control codes (ESC is ␛), the code point for all others.
 *
 * @param {number} point
 * @returns {string}
 */
function nameOf(point) {
  if (point < 0x20) return String.fromCodePoint(0x2400 + point);
  if (point === 0x7f) return '\u2421';
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
}
