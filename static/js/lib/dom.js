/** Small helpers around the document. None of them takes HTML. */

/**
 * The one element that a selector names. Throws if there is none: a template and its script belong together.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any}
 */
export function one(selector, root = document) {
  const node = root.querySelector(selector);
  if (!node) throw new Error(`nothing matches ${selector}`);
  return node;
}

/**
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any[]}
 */
export function all(selector, root = document) {
  return [...root.querySelectorAll(selector)];
}

/**
 * Changes a text only if it differs, so that what is selected or being read aloud is left alone.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Says something and is gone when there is nothing to say.
 * @param {HTMLElement} node
 * @param {string} text
 */
export function say(node, text) {
  setText(node, text);
  node.hidden = !text;
}

/**
 * A copy of what a `<template>` holds.
 * @param {string} id
 * @returns {any}
 */
export function copyOf(id) {
  return one(`#${id}`).content.firstElementChild.cloneNode(true);
}

/**
 * @param {string} id of a `json_script` block
 * @returns {any}
 */
export function data(id) {
  return JSON.parse(one(`#${id}`).textContent);
}

/** Whether the reader asked for less movement. */
export function isCalm() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** @returns {ScrollBehavior} */
export function scrolling() {
  return isCalm() ? 'instant' : 'smooth';
}
