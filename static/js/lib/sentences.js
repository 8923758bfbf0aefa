/** The page's sentences, from the server, in the reader's language. */
import { data } from './dom.js';

/** @type {Record<string, string>} */
const SENTENCES = data('battle-strings');

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values] for the sentence's `%(name)s`
 */
export function t(key, values = {}) {
  const text = SENTENCES[key];
  if (text === undefined) throw new Error(`no sentence is called ${key}`);
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** What the Markdown renderer adds to an answer. */
export const MARKDOWN = {
  code: t('md_code'),
  copy: t('md_copy'),
  copied: t('copied'),
  table: t('md_table'),
  formula: t('md_formula'),
  imageNotLoaded: t('md_image_not_loaded'),
  reasoning: t('md_reasoning'),
  clipped: t('md_clipped'),
  showAll: t('md_show_all'),
};
