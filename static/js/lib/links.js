/**
 * Which destinations written by a model may be followed, and what must be said about them.
 */

const FOLLOWED = new Set(['http:', 'https:', 'mailto:']);
const HOST = /(?:[\p{L}\p{N}-]+[.\u3002])+\p{L}{2,}/u;
const INVISIBLE = /[\p{Cf}\p{Cc}]/gu;

/**
 * @param {string} destination
 * @returns {URL | null} null for anything relative or malformed
 */
function parse(destination) {
  try {
    return new URL(destination);
  } catch {
    return null;
  }
}

/**
 * The address a link may lead to, or null when there is to be no link.
 *
 * @param {string} destination
 * @returns {URL | null}
 */
export function followable(destination) {
  const url = parse(destination);
  return url && FOLLOWED.has(url.protocol) ? url : null;
}

/**
 * Does `[text](destination)` count as a link or image at all? If not, its source stays visible.
 * Relative destinations do, but are never followed: the text of a table of contents reads better
 * without its brackets. Image data is accepted because images become a chip.
 *
 * @param {string} destination
 * @returns {boolean}
 */
export function isReadableDestination(destination) {
  const url = parse(destination);
  return url === null || FOLLOWED.has(url.protocol) || /^data:image\//i.test(destination);
}

/**
 * @param {string} destination of an image
 * @returns {string} the host it would have been fetched from, "" when there is none
 */
export function imageHost(destination) {
  return parse(destination)?.host ?? '';
}

/**
 * The real target, to be shown after a link whose text names another one.
 *
 * @param {string} text
 * @param {URL} url
 * @returns {string} "" when nothing needs to be said
 */
export function targetNote(text, url) {
  if (url.protocol === 'mailto:') return mailNote(text, url);
  const disguised = url.username || url.password || url.hostname.includes('xn--');
  const deceptive = hostsIn(text).some((host) => !belongsTo(url.hostname, host));
  return disguised || deceptive ? url.host : '';
}

/**
 * @param {string} text
 * @param {URL} url
 * @returns {string}
 */
function mailNote(text, url) {
  const address = url.pathname;
  const claimsTarget = text.includes('@') || hostsIn(text).length > 0;
  return claimsTarget && !text.includes(address) ? address : '';
}

/**
 * @param {string} hostname
 * @param {string} named a host in the link's text
 * @returns {boolean}
 */
function belongsTo(hostname, named) {
  return hostname === named || hostname.endsWith(`.${named}`);
}

/**
 * What a reader takes for hosts: "https://bank.example/x" and "bank.example" name bank.example,
 * the part before an @ included, because it is read first.
 *
 * @param {string} text
 * @returns {string[]}
 */
function hostsIn(text) {
  const words = text.replace(INVISIBLE, '').normalize('NFKC').toLowerCase().split(/\s+/);
  return words
    .flatMap(authorityParts)
    .map(hostAtStart)
    .filter((host) => host !== '');
}

/**
 * @param {string} word
 * @returns {string[]}
 */
function authorityParts(word) {
  const withoutScheme = word.replace(/^\P{L}*[a-z][a-z0-9+.-]*:\/\//u, '');
  return withoutScheme.split(/[/?#\\]/u, 1)[0].split('@');
}

/**
 * @param {string} part
 * @returns {string}
 */
function hostAtStart(part) {
  const found = HOST.exec(part)?.[0] ?? '';
  return found.replaceAll('\u3002', '.').replace(/^www\./, '');
}
