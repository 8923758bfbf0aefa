/** What building a block needs to know, and what it reports back. */

import { appendText } from './characters.js';

export class BuildContext {
  /**
   * @param {object} given
   * @param {import('./strings.js').Strings} given.strings
   * @param {{katexStyles?: string}} given.assets
   * @param {boolean} given.isGrowing the block may still change
   * @param {{tree?: any}} given.memory lives as long as the flow
   * @param {number} given.formulas how many came before this block
   */
  constructor({ strings, assets, isGrowing, memory, formulas }) {
    this.strings = strings;
    this.assets = assets;
    this.isGrowing = isGrowing;
    this.memory = memory;
    this.formulas = formulas;
    /** @type {Set<Promise<void>>} */
    this.awaited = new Set();
  }

  /**
   * @param {Node} parent
   * @param {string} text
   */
  appendText(parent, text) {
    appendText(parent, text);
  }

  /** @param {Promise<void>} promise after which building the block again gives a better result */
  waitFor(promise) {
    this.awaited.add(promise);
  }
}
