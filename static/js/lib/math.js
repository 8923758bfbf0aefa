/**
 * TeX source to nodes. KaTeX is fetched when the first formula appears; until then, and wherever
 * it refuses, a formula is shown as it was written.
 */

const MAX_FORMULAS = 500; // per answer; the rest stays source
const MAX_CACHED = 400;
const STYLES = new URL('../../vendor/katex-0.19.1/katex.min.css', import.meta.url).href;

const OPTIONS = {
  throwOnError: true,
  trust: false,
  strict: 'ignore',
  maxExpand: 200,
  maxSize: 5,
  // These only write to the console.
  macros: { '\\message': '\\@gobble', '\\errmessage': '\\@gobble', '\\show': '\\@gobble' },
};

const HTML_AND_SVG = 'span svg path line';
const MATHML =
  'math semantics annotation mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup ' +
  'munder mover munderover mtable mtr mtd mlabeledtr menclose mpadded mphantom mstyle';
const INERT_ELEMENTS = new Set(`${HTML_AND_SVG} ${MATHML}`.split(' '));

/** @type {any} */
let katex = null;
/** @type {Promise<void> | null} */
let loading = null;
/** @type {Map<string, Element | null>} */
const cache = new Map();

/**
 * @param {import('./markdown_parser.js').Token} token with the TeX source as content
 * @param {import('./build_context.js').BuildContext} context
 * @returns {HTMLElement}
 */
export function inlineFormula(token, context) {
  const element = document.createElement('span');
  fill(element, token, { isDisplay: token.markup === '$$' || token.markup === '\\[', context });
  return element;
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {import('./build_context.js').BuildContext} context
 * @returns {HTMLElement}
 */
export function formulaBlock(token, context) {
  const element = document.createElement('div');
  element.setAttribute('role', 'group');
  element.setAttribute('aria-label', context.strings.formula);
  element.tabIndex = 0;
  fill(element, token, { isDisplay: true, context });
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {import('./markdown_parser.js').Token} token
 * @param {{isDisplay: boolean, context: import('./build_context.js').BuildContext}} how
 */
function fill(element, token, { isDisplay, context }) {
  const rendered = rendering(token.content, isDisplay, context);
  element.className = isDisplay ? 'md-math md-math-block' : 'md-math';
  element.dir = 'ltr';
  if (rendered) {
    element.append(rendered);
    return;
  }
  element.classList.add('md-math-source');
  context.appendText(element, sourceOf(token));
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @returns {string}
 */
function sourceOf({ type, markup, content }) {
  const close = { '\\(': '\\)', '\\[': '\\]' }[markup] ?? markup;
  const space = type === 'math_block' ? '\n' : '';
  return markup + space + content + space + close;
}

/**
 * @param {string} tex
 * @param {boolean} isDisplay
 * @param {import('./build_context.js').BuildContext} context
 * @returns {Node | null}
 */
function rendering(tex, isDisplay, context) {
  context.formulas += 1;
  if (context.formulas > MAX_FORMULAS) return null;
  if (!katex) {
    loading ??= load(context.assets.katexStyles ?? STYLES);
    context.waitFor(loading);
    return null;
  }
  const key = `${isDisplay}${tex}`;
  if (!cache.has(key)) remember(key, render(tex, isDisplay));
  return cache.get(key)?.cloneNode(true) ?? null;
}

/**
 * @param {string} key
 * @param {Element | null} element
 */
function remember(key, element) {
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(key, element);
}

/**
 * @param {string} styles
 * @returns {Promise<void>} never rejects: without KaTeX formulas stay source
 */
async function load(styles) {
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = styles;
  document.head.append(link);
  try {
    await import('../../vendor/katex-0.19.1/katex.min.js');
    katex = globalThis.katex;
  } catch (error) {
    console.warn('Formulas are shown as source:', error);
    katex = {
      __renderToDomTree: () => {
        throw error;
      },
    };
  }
}

/**
 * @param {string} tex
 * @param {boolean} isDisplay
 * @returns {Element | null} null when it is not TeX that KaTeX accepts
 */
function render(tex, isDisplay) {
  try {
    const tree = katex.__renderToDomTree(tex, { ...OPTIONS, macros: { ...OPTIONS.macros }, displayMode: isDisplay });
    setStyleAttributesAside(tree);
    const element = tree.toNode();
    restoreStyles(element);
    return isInert(element) ? element : null;
  } catch {
    return null; // a ParseError, or a RangeError from nesting without end
  }
}

/**
 * KaTeX sets most styles through the CSSOM, but writes a few as attributes, which the content
 * security policy forbids. Those are carried over under another name and set through the CSSOM.
 *
 * @param {{attributes?: Record<string, string>, children?: object[]}} node of KaTeX's own tree
 */
function setStyleAttributesAside(node) {
  if (node.attributes?.style) {
    node.attributes['data-style'] = node.attributes.style;
    delete node.attributes.style;
  }
  node.children?.forEach(setStyleAttributesAside);
}

/** @param {Element} element */
function restoreStyles(element) {
  /** @type {NodeListOf<HTMLElement>} */
  const styled = element.querySelectorAll('[data-style]');
  for (const each of styled) {
    each.style.cssText = each.getAttribute('data-style') ?? '';
    each.removeAttribute('data-style');
  }
}

/**
 * @param {Element} element
 * @returns {boolean} holds no link, image or anything else that could act
 */
function isInert(element) {
  return [...element.querySelectorAll('*')].every(({ localName }) => INERT_ELEMENTS.has(localName));
}
