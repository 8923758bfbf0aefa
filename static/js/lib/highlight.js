/**
 * Colours code: highlight.js makes a tree, this module turns the tree into spans. No HTML string
 * exists on the way.
 */

import { languageNamed, loadGrammars, loadHighlighter } from './code_languages.js';

const MAX_LENGTH = 20_000;
const MAX_DEPTH = 24;
const MAX_CACHED = 60;
/** Code that is still being written is coloured anew only after it grew by this share. */
const REGROWTH = 0.1;
const REGROWTH_CHARACTERS = 160;

const CLASS_OF_SCOPE = new Map(
  Object.entries({
    'hl-keyword': 'keyword literal selector-tag name tag operator template-tag',
    'hl-string': 'string regexp char link code formula',
    'hl-comment': 'comment quote doctag',
    'hl-number': 'number symbol bullet',
    'hl-title': 'title section',
    'hl-type': 'type built_in class',
    'hl-attribute':
      'attr attribute meta variable template-variable property selector-class selector-id ' +
      'selector-attr selector-pseudo',
    'hl-addition': 'addition',
    'hl-deletion': 'deletion',
  }).flatMap(([className, scopes]) => scopes.split(' ').map((scope) => [scope, className])),
);

/** @type {any} */
let highlighter = null;
/** @type {Map<string, "loading" | "ready" | "failed">} */
const states = new Map();
/** @type {Map<string, Promise<void>>} */
const loads = new Map();
/** @type {Map<string, Tree | null>} */
const trees = new Map();

/**
 * Append code to an element, coloured as far as that is possible now.
 *
 * @param {HTMLElement} element
 * @param {{code: string, label: string}} fence label: the language as the model wrote it
 * @param {import('./build_context.js').BuildContext} context
 */
export function appendCode(element, { code, label }, context) {
  const language = code.length <= MAX_LENGTH ? readyLanguage(label, context) : null;
  const tree = language && treeFor(code, language, context);
  if (!tree) {
    context.appendText(element, code);
    return;
  }
  appendTree(element, tree.root, { depth: 0, context });
  context.appendText(element, code.slice(tree.length));
}

/**
 * @param {string} label
 * @param {import('./build_context.js').BuildContext} context told to wait when it is being fetched
 * @returns {string | null}
 */
function readyLanguage(label, context) {
  const language = languageNamed(label);
  if (!language) return null;
  const loading = loads.get(language) ?? load(language);
  loads.set(language, loading);
  if (states.get(language) === 'loading') context.waitFor(loading);
  return states.get(language) === 'ready' ? language : null;
}

/**
 * @param {string} language
 * @returns {Promise<void>} never rejects: without its grammar code stays plain
 */
async function load(language) {
  states.set(language, 'loading');
  try {
    const [core, grammars] = await Promise.all([loadHighlighter(), loadGrammars(language)]);
    highlighter ??= core.default;
    for (const [name, grammar] of grammars) {
      if (!highlighter.getLanguage(name)) highlighter.registerLanguage(name, grammar);
    }
    states.set(language, 'ready');
  } catch (error) {
    console.warn(`Code in ${language} stays plain:`, error);
    states.set(language, 'failed');
  }
}

/**
 * @typedef {object} Scope a part of the code with one meaning
 * @property {string} [scope]
 * @property {Array<Scope | string>} children
 */

/**
 * @typedef {object} Tree
 * @property {string} language
 * @property {string} code what it was made from
 * @property {number} length of that code
 * @property {Scope} root
 */

/**
 * @param {string} code
 * @param {string} language
 * @param {import('./build_context.js').BuildContext} context
 * @returns {Tree | null} possibly of the beginning of the code only, while it is being written
 */
function treeFor(code, language, context) {
  const earlier = context.memory.tree;
  if (context.isGrowing && earlier && earlier.language === language && isRecent(earlier, code)) return earlier;
  const key = `${language}\0${code}`;
  if (!trees.has(key)) remember(key, makeTree(code, language));
  const tree = trees.get(key) ?? null;
  if (context.isGrowing) context.memory.tree = tree;
  return tree;
}

/**
 * @param {Tree} tree
 * @param {string} code
 * @returns {boolean}
 */
function isRecent(tree, code) {
  const allowed = Math.max(REGROWTH_CHARACTERS, tree.length * REGROWTH);
  return code.length - tree.length < allowed && code.startsWith(tree.code);
}

/**
 * @param {string} code
 * @param {string} language
 * @returns {Tree | null}
 */
function makeTree(code, language) {
  const result = highlighter.highlight(code, { language, ignoreIllegals: true });
  // Semi-private, hence the pinned release; tests/e2e/markdown/ would notice.
  const root = result._emitter?.rootNode;
  return root ? { language, code, length: code.length, root } : null;
}

/**
 * @param {string} key
 * @param {Tree | null} tree
 */
function remember(key, tree) {
  if (trees.size >= MAX_CACHED) trees.delete([...trees.keys()][0]);
  trees.set(key, tree);
}

/**
 * @param {Node} parent
 * @param {Scope} node
 * @param {{depth: number, context: import('./build_context.js').BuildContext}} at
 */
function appendTree(parent, node, { depth, context }) {
  for (const child of node.children) {
    if (typeof child === 'string') context.appendText(parent, child);
    else appendTree(spanFor(parent, child.scope, depth), child, { depth: depth + 1, context });
  }
}

/**
 * @param {Node} parent
 * @param {string | undefined} scope
 * @param {number} depth
 * @returns {Node} where the scope's content goes; the parent itself when it has no colour
 */
function spanFor(parent, scope, depth) {
  const className = CLASS_OF_SCOPE.get(String(scope).split('.', 1)[0]);
  if (!className || depth > MAX_DEPTH) return parent;
  const span = document.createElement('span');
  span.className = className;
  parent.appendChild(span);
  return span;
}
