/**
 * The words that rendered Markdown adds to an answer; pages pass translations.
 *
 * @typedef {object} Strings
 * @property {string} code name of a code block without a language
 * @property {string} copy
 * @property {string} copied
 * @property {string} table name of a table's scroll box
 * @property {string} formula name of a formula's scroll box
 * @property {string} imageNotLoaded
 * @property {string} reasoning
 * @property {string} clipped said when only the beginning is shown formatted
 * @property {string} showAll button beside it
 */

/** @type {Strings} */
export const DEFAULT_STRINGS = {
  code: 'Code',
  copy: 'Copy',
  copied: 'Copied',
  table: 'Table',
  formula: 'Formula',
  imageNotLoaded: 'Image not loaded',
  reasoning: 'Reasoning',
  clipped: 'This answer is very long. Only its beginning is shown.',
  showAll: 'Show all as text',
};
