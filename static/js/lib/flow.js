/**
 * A column of Markdown blocks that is brought up to date with a growing source.
 */

import { BuildContext } from './build_context.js';
import { copyOnClick, keepSource } from './code.js';
import { buildBlock, buildRawBlock } from './markdown_nodes.js';
import { parseBlocks, parseInline } from './markdown_parser.js';
import { patch } from './patch.js';

/**
 * @typedef {object} Placed a block in the document
 * @property {string} key
 * @property {Node} node
 * @property {boolean} isProvisional build it again even if its source stays
 * @property {number} formulas how many there are up to its end
 */

export class Flow {
  /** @type {Placed[]} */
  #placed = [];
  #memory = {};
  #options;

  /** @param {{strings: import('./strings.js').Strings, assets: object}} options */
  constructor(options) {
    this.#options = options;
    this.element = document.createElement('div');
    this.element.className = 'md-flow';
    this.element.addEventListener('click', (event) => copyOnClick(event, options.strings));
  }

  /**
   * Blocks whose source did not change keep their nodes.
   *
   * @param {string} source
   * @param {boolean} isGrowing
   * @returns {Set<Promise<void>>} after each of which another update would show more
   */
  update(source, isGrowing) {
    const blocks = parseBlocks(source);
    const awaited = new Set();
    blocks.forEach((block, index) => {
      const isLast = index === blocks.length - 1;
      for (const promise of this.#place(block, index, isGrowing && isLast)) awaited.add(promise);
    });
    for (const { node } of this.#placed.splice(blocks.length)) this.element.removeChild(node);
    return awaited;
  }

  /**
   * @param {import('./markdown_parser.js').Block} block
   * @param {number} index
   * @param {boolean} isGrowing
   * @returns {Iterable<Promise<void>>}
   */
  #place(block, index, isGrowing) {
    const present = this.#placed[index];
    if (present?.key === block.key && !present.isProvisional) return [];
    const formulas = this.#placed[index - 1]?.formulas ?? 0;
    const context = new BuildContext({ ...this.#options, isGrowing, memory: this.#memory, formulas });
    const built = build(block, context);
    const node = present ? patch(present.node, built, keepSource) : this.element.appendChild(built);
    const isProvisional = isGrowing || context.awaited.size > 0;
    this.#placed[index] = { key: block.key, node, isProvisional, formulas: context.formulas };
    return context.awaited;
  }
}

/**
 * @param {import('./markdown_parser.js').Block} block
 * @param {BuildContext} context
 * @returns {Element}
 */
function build(block, context) {
  return block.raw === null ? buildBlock(parseInline(block), context) : buildRawBlock(block.raw, context);
}
