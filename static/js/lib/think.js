/**
 * Separates a model's reasoning (`<think>…</think>` before the answer) from the answer.
 */

const OPENING = /^\s*<(think|thinking)>/i;
const LONE_CLOSING = /^[ \t]*<\/think(?:ing)?>[ \t]*$/im;

/**
 * @typedef {object} Parts
 * @property {string | null} reasoning null when there is none
 * @property {string} answer
 */

/**
 * Some chat templates put the opening tag into the prompt; then only a closing tag on a line of
 * its own arrives. While text is still coming, a tag that has arrived in part is held back.
 *
 * @param {string} source
 * @param {boolean} finished
 * @returns {Parts}
 */
export function splitReasoning(source, finished) {
  const opening = OPENING.exec(source);
  if (opening) return splitAtClosing(source.slice(opening[0].length), opening[1], finished);
  const closing = LONE_CLOSING.exec(source);
  if (closing && !endsInsideFence(source.slice(0, closing.index))) {
    return cut(source, closing.index, closing[0].length);
  }
  const held = !finished && '<thinking>'.startsWith(source.trimStart().toLowerCase());
  return { reasoning: null, answer: held ? '' : source };
}

/**
 * @param {string} text after the opening tag
 * @param {string} tag
 * @param {boolean} finished
 * @returns {Parts}
 */
function splitAtClosing(text, tag, finished) {
  const closing = `</${tag.toLowerCase()}>`;
  const at = text.toLowerCase().indexOf(closing);
  if (at >= 0) return cut(text, at, closing.length);
  return { reasoning: (finished ? text : withoutPartial(text, closing)).trim(), answer: '' };
}

/**
 * @param {string} text
 * @param {number} at
 * @param {number} length
 * @returns {Parts}
 */
function cut(text, at, length) {
  const answer = text.slice(at + length);
  return { reasoning: text.slice(0, at).trim(), answer: answer.replace(/^(?:[ \t]*\n)+/, '') };
}

/**
 * @param {string} text
 * @param {string} tag
 * @returns {string} text without a beginning of the tag at its end
 */
function withoutPartial(text, tag) {
  const start = text.lastIndexOf('<');
  const isPartial = start >= 0 && tag.startsWith(text.slice(start).toLowerCase());
  return isPartial ? text.slice(0, start) : text;
}

/**
 * @param {string} text
 * @returns {boolean}
 */
function endsInsideFence(text) {
  return (text.match(/^ {0,3}(?:```|~~~)/gm) ?? []).length % 2 === 1;
}
