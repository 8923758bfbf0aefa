/**
 * Markdown source to markdown-it tokens, in two steps: all blocks first (cheap), then the inline
 * content of those blocks that have to be built (the expensive part). A block's key says whether
 * an earlier build of it can stay.
 */

import MarkdownIt from '../../vendor/markdown-it-15.0.3/markdown-it.esm.min.js';
import { isReadableDestination } from './links.js';
import { useMath } from './math_syntax.js';

/** Levels of tokens; a list and its item are two. Deeper blocks are shown as their source. */
const MAX_LEVEL = 40;

/**
 * @typedef {object} Token what markdown-it makes
 * @property {string} type
 * @property {string} tag
 * @property {Array<[string, string]> | null} attrs
 * @property {[number, number] | null} map first line, and the one after the last
 * @property {-1 | 0 | 1} nesting
 * @property {number} level
 * @property {Token[] | null} children
 * @property {string} content
 * @property {string} markup
 * @property {string} info
 * @property {boolean} hidden
 */

/**
 * @typedef {object} Block one top-level block
 * @property {Token[]} tokens
 * @property {string} key equal keys build equal nodes
 * @property {string | null} raw its source, when it is not to be built from tokens
 * @property {object} env
 */

const parser = createParser();

function createParser() {
  const instance = new MarkdownIt({ html: false, linkify: true, breaks: true, maxNesting: MAX_LEVEL + 10 });
  // Without a scheme "main.py" and "README.md" would be links: .py and .md are countries.
  instance.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
  instance.validateLink = isReadableDestination;
  instance.normalizeLinkText = (text) => text;
  instance.core.ruler.disable(['normalize', 'block']);
  instance.inline.ruler.before('autolink', 'line_break_tag', lineBreakTag);
  useMath(instance);
  return instance;
}

/**
 * The one tag that is understood: in table cells there is no other way to write a new line.
 *
 * @param {any} state markdown-it's inline state
 * @param {boolean} silent
 * @returns {boolean}
 */
function lineBreakTag(state, silent) {
  if (state.src[state.pos] !== '<') return false;
  const tag = /^<br\s{0,3}\/?>/i.exec(state.src.slice(state.pos, state.pos + 9));
  if (!tag) return false;
  if (!silent) state.push('hardbreak', 'br', 0);
  state.pos += tag[0].length;
  return true;
}

/**
 * @param {string} source
 * @returns {Block[]}
 */
export function parseBlocks(source) {
  const text = source.replace(/\r\n?/g, '\n').replaceAll('\0', '\uFFFD');
  const env = { references: Object.create(null) };
  /** @type {Token[]} */
  const tokens = [];
  parser.block.parse(text, parser, env, tokens);
  const references = JSON.stringify(env.references);
  return topLevel(tokens).map((group) => toBlock(group, { text, env, references }));
}

/**
 * Tokens of the inline content too.
 *
 * @param {Block} block
 * @returns {Token[]}
 */
export function parseInline(block) {
  const state = new parser.core.State('', parser, block.env);
  state.tokens = block.tokens;
  parser.core.process(state);
  return state.tokens;
}

/**
 * @param {Token[]} tokens
 * @returns {Token[][]} one list per block that shows something
 */
function topLevel(tokens) {
  const groups = [];
  /** @type {Token[]} */
  let group = [];
  for (const token of tokens) {
    group.push(token);
    if (token.level > 0 || token.nesting > 0) continue;
    if (group.some(({ type }) => type !== 'reference_definition')) groups.push(group);
    group = [];
  }
  return groups;
}

/**
 * @param {Token[]} tokens
 * @param {{text: string, env: object, references: string}} document
 * @returns {Block}
 */
function toBlock(tokens, { text, env, references }) {
  const tooDeep = tokens.some((token) => token.level >= MAX_LEVEL);
  const raw = tooDeep ? sourceOf(tokens[0], text) : null;
  const content = tokens.map(fingerprint).join('\0');
  // A definition may come after the block that uses it.
  const uses = content.includes(']') ? references : '';
  return { tokens, key: raw ?? `${content}\0${uses}`, raw, env };
}

/**
 * @param {Token} token
 * @returns {string}
 */
function fingerprint({ type, hidden, info, markup, content, attrs }) {
  return `${type}\0${hidden}\0${info}\0${markup}\0${content}\0${attrs ?? ''}`;
}

/**
 * @param {Token} token
 * @param {string} text
 * @returns {string}
 */
function sourceOf(token, text) {
  return text
    .split('\n')
    .slice(...(token.map ?? []))
    .join('\n');
}
