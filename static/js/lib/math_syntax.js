/**
 * Math delimiters as markdown-it rules: `\( \)`, `\[ \]`, `$$ $$` and, with care for prices,
 * `$ $`. They make tokens `math_inline` and `math_block` whose content is the TeX source.
 */

const MAX_LENGTH = 4000; // of one formula; also bounds the search for a closing delimiter
const MAX_LINES = 80;
const PAIRS = new Map([
  ['\\(', '\\)'],
  ['\\[', '\\]'],
  ['$$', '$$'],
]);

/** @param {any} parser a MarkdownIt */
export function useMath(parser) {
  parser.inline.ruler.before('escape', 'math_inline', inlineMath);
  parser.block.ruler.before('fence', 'math_block', blockMath, {
    alt: ['paragraph', 'reference', 'blockquote', 'list'],
  });
}

/**
 * @param {any} state markdown-it's inline state
 * @param {boolean} silent
 * @returns {boolean}
 */
function inlineMath(state, silent) {
  const first = state.src[state.pos];
  if (first !== '$' && first !== '\\') return false;
  const text = state.src.slice(state.pos, Math.min(state.posMax, state.pos + MAX_LENGTH));
  const found = pairedFormula(text) ?? dollarFormula(text, state.src[state.pos - 1] ?? '');
  if (!found) return false;
  if (!silent) {
    const token = state.push('math_inline', '', 0);
    token.content = found.tex;
    token.markup = found.open;
  }
  state.pos += found.length;
  return true;
}

/**
 * @typedef {object} Formula
 * @property {string} tex
 * @property {string} open the opening delimiter
 * @property {number} length of the source, delimiters included
 */

/**
 * @param {string} text that may begin with a two-character delimiter
 * @returns {Formula | null}
 */
function pairedFormula(text) {
  const open = text.slice(0, 2);
  const close = PAIRS.get(open);
  if (!close) return null;
  const end = indexOfUnescaped(text, close, 2);
  const tex = text.slice(2, end);
  if (end < 0 || !tex.trim() || (open === '\\[' && isEscapedBracket(tex))) return null;
  return { tex, open, length: end + 2 };
}

/**
 * `\[1\]` and `\[see below\]` inside a sentence are brackets that a model escaped.
 *
 * @param {string} tex
 * @returns {boolean}
 */
function isEscapedBracket(tex) {
  return /^[\p{L}\p{N}\s,.–-]*$/u.test(tex);
}

/**
 * @param {string} text beginning with "$"
 * @param {string} before the character before it
 * @returns {Formula | null}
 */
function dollarFormula(text, before) {
  if (text[0] !== '$' || /[\p{L}\p{N}$\\]/u.test(before) || /^\$[\s$]/.test(text)) return null;
  const line = text.split('\n', 1)[0];
  let end = 0;
  do {
    end = indexOfUnescaped(line, '$', end + 1);
  } while (end > 0 && /\s/.test(line[end - 1]));
  if (end < 2) return null;
  const tex = line.slice(1, end);
  return looksLikeMoney(tex, line[end + 1] ?? '') ? null : { tex, open: '$', length: end + 1 };
}

/**
 * "$5 and 10$", "$5-$10", "$HOME:$PATH" are no formulas.
 *
 * @param {string} tex
 * @param {string} after the character after the closing dollar
 * @returns {boolean}
 */
function looksLikeMoney(tex, after) {
  if (/[\p{N}$]/u.test(after) || tex.includes('`')) return true;
  if (/^[\d.,]+[kmb%]?[\s,–-]+\p{L}{2,}/iu.test(tex)) return true;
  return /\p{L}/u.test(after) && /^[\p{L}\p{N}_]{2,}[^\\^={}]*$/u.test(tex);
}

/**
 * @param {string} text
 * @param {string} wanted
 * @param {number} from
 * @returns {number} where it stands without an odd number of backslashes before it, or -1
 */
function indexOfUnescaped(text, wanted, from) {
  let at = text.indexOf(wanted, from);
  while (at >= 0 && backslashesBefore(text, at) % 2 === 1) at = text.indexOf(wanted, at + 1);
  return at;
}

/**
 * @param {string} text
 * @param {number} at
 * @returns {number}
 */
function backslashesBefore(text, at) {
  let count = 0;
  while (text[at - 1 - count] === '\\') count += 1;
  return count;
}

/**
 * A formula that begins and ends with a line. Without a rule of its own, a line `= b` or `- c`
 * inside it would become a heading or a list.
 *
 * @param {any} state markdown-it's block state
 * @param {number} startLine
 * @param {number} endLine
 * @param {boolean} silent
 * @returns {boolean}
 */
function blockMath(state, startLine, endLine, silent) {
  const open = lineText(state, startLine).slice(0, 2);
  const close = open === '\\(' ? undefined : PAIRS.get(open);
  if (!close || state.sCount[startLine] - state.blkIndent >= 4) return false;
  const lastLine = closingLine(state, startLine, endLine, close);
  if (lastLine < 0) return false;
  const source = state.getLines(startLine, lastLine + 1, state.blkIndent, false).trim();
  const tex = source.slice(2, -2);
  if (!tex.trim() || tex.length > MAX_LENGTH || indexOfUnescaped(tex, close, 0) >= 0) return false;
  if (!silent) pushBlock(state, startLine, lastLine, { tex: tex.trim(), open });
  return true;
}

/**
 * @param {any} state
 * @param {number} startLine
 * @param {number} lastLine
 * @param {{tex: string, open: string}} formula
 */
function pushBlock(state, startLine, lastLine, { tex, open }) {
  const token = state.push('math_block', '', 0);
  token.block = true;
  token.content = tex;
  token.markup = open;
  token.map = [startLine, lastLine + 1];
  state.line = lastLine + 1;
}

/**
 * @param {any} state
 * @param {number} startLine
 * @param {number} endLine
 * @param {string} close
 * @returns {number} the line that ends with the closing delimiter, or -1
 */
function closingLine(state, startLine, endLine, close) {
  // A formula may also end the list item before it, by standing further left.
  const indent = Math.min(state.blkIndent, state.sCount[startLine]);
  for (let line = startLine; line < Math.min(endLine, startLine + MAX_LINES); line += 1) {
    const text = lineText(state, line);
    if (text && state.sCount[line] < indent) return -1;
    const at = indexOfUnescaped(text, close, line === startLine ? 2 : 0);
    if (at >= 0) return at === text.length - 2 ? line : -1;
  }
  return -1;
}

/**
 * @param {any} state
 * @param {number} line
 * @returns {string}
 */
function lineText(state, line) {
  return state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]).trimEnd();
}
