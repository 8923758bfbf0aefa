/**
 * markdown-it tokens to DOM nodes. Only what this module names can come into being: an unknown
 * token becomes text, an unknown attribute is dropped. No HTML string is made or parsed.
 */

import { codeBlock } from './code.js';
import { followable, imageHost, targetNote } from './links.js';
import { formulaBlock, inlineFormula } from './math.js';

const MAX_DEPTH = 60; // of elements inside one block; deeper emphasis loses its element, not its text

const SIMPLE_ELEMENTS = new Map(
  Object.entries({
    bullet_list_open: 'ul',
    blockquote_open: 'blockquote',
    list_item_open: 'li',
    thead_open: 'thead',
    tbody_open: 'tbody',
    tr_open: 'tr',
    td_open: 'td',
    em_open: 'em',
    strong_open: 'strong',
    s_open: 's',
  }),
);

/** @type {Record<string, (token: import('./markdown_parser.js').Token, at: Place) => Node | null>} */
const OPENERS = {
  paragraph_open: (token) => (token.hidden ? null : element('p')),
  heading_open: (token) => element('p', `mh mh${Number(token.tag.slice(1)) || 1}`),
  ordered_list_open: orderedList,
  table_open: (token, at) => tableInside(at),
  th_open: (token) => aligned(element('th'), token),
  td_open: (token) => aligned(element('td'), token),
  link_open: (token) => link(attribute(token, 'href')),
};

/** @type {Record<string, (token: import('./markdown_parser.js').Token, at: Place) => void>} */
const LEAVES = {
  inline: (token, at) => build(token.children ?? [], at),
  text: appendTextOrTask,
  softbreak: (token, at) => at.append(element('br')),
  hardbreak: (token, at) => at.append(element('br')),
  hr: (token, at) => at.append(element('hr')),
  code_inline: appendInlineCode,
  fence: (token, at) => at.append(codeBlock(token, at.context)),
  code_block: (token, at) => at.append(codeBlock(token, at.context)),
  math_inline: (token, at) => at.append(inlineFormula(token, at.context)),
  math_block: (token, at) => at.append(formulaBlock(token, at.context)),
  image: (token, at) => at.append(imageChip(token, at.context)),
};

/** The element being filled, and those around it. */
class Place {
  /**
   * @param {Node} root
   * @param {import('./build_context.js').BuildContext} context
   */
  constructor(root, context) {
    this.context = context;
    this.node = root;
    /** @type {Node[]} */
    this.around = [];
  }

  /** @param {Node} child */
  append(child) {
    this.node.appendChild(child);
  }

  /** @param {Node | null} child becomes the place; null: content goes where it went before */
  enter(child) {
    this.around.push(this.node);
    if (!child || this.around.length > MAX_DEPTH) return;
    if (!child.parentNode) this.append(child);
    this.node = child;
  }

  /** @returns {Node} what was left */
  leave() {
    const left = this.node;
    this.node = this.around.pop() ?? left;
    return left;
  }
}

/**
 * @param {import('./markdown_parser.js').Token[]} tokens of one top-level block
 * @param {import('./build_context.js').BuildContext} context
 * @returns {Element}
 */
export function buildBlock(tokens, context) {
  const root = document.createDocumentFragment();
  build(tokens, new Place(root, context));
  const block = root.firstElementChild ?? element('p');
  if (!block.hasAttribute('dir')) block.setAttribute('dir', 'auto');
  return block;
}

/**
 * A block that is shown as its source.
 *
 * @param {string} source
 * @param {import('./build_context.js').BuildContext} context
 * @returns {HTMLElement}
 */
export function buildRawBlock(source, context) {
  const block = element('p', 'md-raw');
  block.setAttribute('dir', 'auto');
  context.appendText(block, source);
  return block;
}

/**
 * @param {import('./markdown_parser.js').Token[]} tokens
 * @param {Place} at
 */
function build(tokens, at) {
  for (const token of tokens) {
    if (token.nesting > 0) at.enter(opened(token, at));
    else if (token.nesting < 0) finish(token, at);
    else (LEAVES[token.type] ?? appendUnknown)(token, at);
  }
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {Place} at
 * @returns {Node | null}
 */
function opened(token, at) {
  const opener = OPENERS[token.type];
  if (opener) return opener(token, at);
  const name = SIMPLE_ELEMENTS.get(token.type);
  return name ? element(name) : null;
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {Place} at
 */
function finish(token, at) {
  const done = at.leave();
  if (done instanceof HTMLAnchorElement && token.type === 'link_close') appendTargetNote(done, at);
  if (done instanceof HTMLTableCellElement && token.type === 'th_close') replaceEmptyHead(done);
}

/**
 * @param {string} name
 * @param {string} [className]
 * @returns {HTMLElement}
 */
function element(name, className) {
  const created = document.createElement(name);
  if (className) created.className = className;
  return created;
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {string} name
 * @returns {string}
 */
function attribute(token, name) {
  return token.attrs?.find(([key]) => key === name)?.[1] ?? '';
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {Place} at
 */
function appendUnknown(token, at) {
  at.context.appendText(at.node, token.content);
}

/**
 * "[ ] " and "[x] " at the start of a list item are a box, not brackets.
 *
 * @param {import('./markdown_parser.js').Token} token
 * @param {Place} at
 */
function appendTextOrTask(token, at) {
  const task = startsListItem(at.node) ? /^\[([ xX])\](?=\s)/.exec(token.content) : null;
  if (task) {
    const box = element('span', 'md-task');
    box.textContent = task[1] === ' ' ? '\u2610' : '\u2611';
    at.append(box);
  }
  at.context.appendText(at.node, token.content.slice(task ? task[0].length : 0));
}

/**
 * @param {Node} node
 * @returns {boolean}
 */
function startsListItem(node) {
  if (node.hasChildNodes()) return false;
  const isFirst = node.parentNode?.firstChild === node;
  return node.nodeName === 'LI' || (node.nodeName === 'P' && isFirst && node.parentNode?.nodeName === 'LI');
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {Place} at
 */
function appendInlineCode(token, at) {
  const code = element('code');
  code.setAttribute('dir', 'auto');
  at.context.appendText(code, token.content);
  at.append(code);
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @returns {HTMLElement}
 */
function orderedList(token) {
  const list = element('ol');
  const start = attribute(token, 'start');
  if (/^\d{1,9}$/.test(String(start))) list.setAttribute('start', String(Number(start)));
  return list;
}

/**
 * @param {Place} at
 * @returns {HTMLElement} the table, inside a scroll box that the keyboard can reach
 */
function tableInside(at) {
  const box = element('div', 'md-table');
  const table = element('table');
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', at.context.strings.table);
  box.append(table);
  at.append(box);
  return table;
}

/**
 * @param {HTMLElement} cell
 * @param {import('./markdown_parser.js').Token} token
 * @returns {HTMLElement}
 */
function aligned(cell, token) {
  const side = /^text-align:(left|center|right)$/.exec(attribute(token, 'style'))?.[1];
  if (side) cell.className = `md-${side}`;
  if (cell.nodeName === 'TH') cell.setAttribute('scope', 'col');
  return cell;
}

/**
 * A head without words says nothing to a screen reader.
 *
 * @param {HTMLTableCellElement} cell
 */
function replaceEmptyHead(cell) {
  if (!cell.hasChildNodes()) cell.replaceWith(element('td', cell.className));
}

/**
 * @param {string} destination
 * @returns {HTMLElement | null}
 */
function link(destination) {
  const url = followable(destination);
  if (!url) return null;
  const anchor = element('a');
  anchor.setAttribute('href', url.href);
  anchor.setAttribute('rel', 'noopener noreferrer nofollow ugc');
  anchor.setAttribute('target', '_blank');
  anchor.setAttribute('referrerpolicy', 'no-referrer');
  return anchor;
}

/**
 * @param {HTMLAnchorElement} anchor
 * @param {Place} at
 */
function appendTargetNote(anchor, at) {
  const note = targetNote(anchor.textContent ?? '', new URL(anchor.href));
  if (!note) return;
  const host = element('span', 'md-host');
  at.context.appendText(host, note);
  at.append(host);
}

/**
 * @param {import('./markdown_parser.js').Token} token
 * @param {import('./build_context.js').BuildContext} context
 * @returns {HTMLElement}
 */
function imageChip(token, context) {
  const chip = element('span', 'md-image');
  const parts = [context.strings.imageNotLoaded, token.content, imageHost(attribute(token, 'src'))];
  ['md-image-state', 'md-image-alt', 'md-image-host'].forEach((className, index) => {
    if (!parts[index]) return;
    const part = element('span', className);
    context.appendText(part, parts[index]);
    chip.append(part);
  });
  return chip;
}
