/**
 * Code blocks: the language's name, a copy button, the code.
 */

import { copy } from './clipboard.js';
import { appendCode } from './highlight.js';

const SHOWN_FOR_MS = 1600;

/**
 * What the copy button copies: the exact source, which marks for hidden characters are not. The
 * last line end belongs to the fence; pasted into a terminal it would run the command.
 *
 * @type {WeakMap<Node, string>}
 */
const sources = new WeakMap();

/**
 * @param {import('./markdown_parser.js').Token} token a fence or an indented code block
 * @param {import('./build_context.js').BuildContext} context
 * @returns {HTMLElement}
 */
export function codeBlock(token, context) {
  const label = languageLabel(token.info);
  const block = div('md-code');
  const bar = div('md-code-bar');
  const name = document.createElement('span');
  name.className = 'md-code-language';
  context.appendText(name, label || context.strings.code);
  bar.append(name, copyButton(context.strings.copy));
  block.dir = 'ltr';
  block.append(bar, scrollBox(token.content, label, context));
  return block;
}

/**
 * @param {string} className
 * @returns {HTMLElement}
 */
function div(className) {
  const element = document.createElement('div');
  element.className = className;
  return element;
}

/**
 * @param {string} info everything after the fence
 * @returns {string} its first word, when that can be the name of a language
 */
function languageLabel(info) {
  return /^\s*\{?\.?([\p{L}\d#+_.-]{1,24})(?=[\s,:;{}=]|$)/u.exec(info)?.[1] ?? '';
}

/**
 * @param {string} label
 * @returns {HTMLButtonElement}
 */
function copyButton(label) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'md-copy';
  button.textContent = label;
  return button;
}

/**
 * @param {string} content
 * @param {string} label
 * @param {import('./build_context.js').BuildContext} context
 * @returns {HTMLElement}
 */
function scrollBox(content, label, context) {
  const pre = document.createElement('pre');
  const code = document.createElement('code');
  pre.tabIndex = 0;
  pre.setAttribute('role', 'group');
  pre.setAttribute('aria-label', [context.strings.code, label].filter(Boolean).join(', '));
  appendCode(code, { code: content, label }, context);
  sources.set(code, content.replace(/\n$/, ''));
  pre.append(code);
  return pre;
}

/**
 * A kept element shows new code: remember what to copy.
 *
 * @param {Node} current
 * @param {Node} next
 */
export function keepSource(current, next) {
  const source = sources.get(next);
  if (source !== undefined) sources.set(current, source);
}

/**
 * @param {Event} event a click anywhere inside rendered Markdown
 * @param {import('./strings.js').Strings} strings
 */
export async function copyOnClick(event, strings) {
  const button = event.target instanceof Element ? event.target.closest('button.md-copy') : null;
  const code = button?.closest('.md-code')?.querySelector('code');
  const source = code ? sources.get(code) : undefined;
  if (!button || source === undefined || !(await copy(source))) return;
  button.textContent = strings.copied;
  setTimeout(() => {
    button.textContent = strings.copy;
  }, SHOWN_FOR_MS);
}
