/**
 * Turns one small DOM tree into another and keeps every node that is the same in both, so that a
 * reader's selection, scroll position and focus survive while the last block of an answer grows.
 */

/**
 * @param {Node} current in the document
 * @param {Node} next freshly built; used up
 * @param {(current: Node, next: Node) => void} onKept told of each changed node that is kept
 * @returns {Node} the node now in the document
 */
export function patch(current, next, onKept) {
  if (current.isEqualNode(next)) return current;
  if (!haveSameShell(current, next)) {
    current.parentNode?.replaceChild(next, current);
    return next;
  }
  onKept(current, next);
  if (current instanceof Text && next instanceof Text) patchText(current, next.data);
  else patchChildren(current, next, onKept);
  return current;
}

/**
 * @param {Text} text
 * @param {string} data
 */
function patchText(text, data) {
  // appendData moves no selection end point; setting data would
  if (data.startsWith(text.data)) text.appendData(data.slice(text.data.length));
  else text.data = data;
}

/**
 * @param {Node} current
 * @param {Node} next
 * @param {(current: Node, next: Node) => void} onKept
 */
function patchChildren(current, next, onKept) {
  const wanted = [...next.childNodes];
  const present = [...current.childNodes];
  wanted.forEach((child, index) => {
    if (index < present.length) patch(present[index], child, onKept);
    else current.appendChild(child);
  });
  for (const extra of present.slice(wanted.length)) current.removeChild(extra);
}

/**
 * @param {Node} a
 * @param {Node} b
 * @returns {boolean} equal but for what is inside
 */
function haveSameShell(a, b) {
  if (a.nodeName !== b.nodeName) return false;
  return a.cloneNode(false).isEqualNode(b.cloneNode(false)) || a instanceof Text;
}
