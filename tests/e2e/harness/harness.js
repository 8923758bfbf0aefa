/** What the browser tests call on the page. */

import { MarkdownStream, renderMarkdown, upgradeMarkdown } from '/static/js/lib/markdown.js';

const answer = document.getElementById('answer');
const violations = [];
addEventListener('securitypolicyviolation', (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});

/** One line per element and text, attributes sorted; colours of code flattened if asked. */
function outline(node, flattenCode = false, depth = 0) {
  if (node.nodeType === Node.TEXT_NODE) return [`${' '.repeat(depth)}"${node.data}"`];
  if (flattenCode && node.localName === 'code') return [`${' '.repeat(depth)}code "${node.textContent}"`];
  const attributes = [...node.attributes].map(({ name, value }) => ` ${name}=${JSON.stringify(value)}`).sort();
  const copy = node.cloneNode(true);
  copy.normalize();
  const inside = [...copy.childNodes].flatMap((child) => outline(child, flattenCode, depth + 1));
  return [`${' '.repeat(depth)}${node.localName}${attributes.join('')}`, ...inside];
}

/** Small seeded generator, so that a failing cut can be repeated. */
function randomizer(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pieces(text, random) {
  const cuts = [];
  for (let at = 0; at < text.length;) {
    const length = 1 + Math.floor(random() * (random() < 0.3 ? 40 : 7));
    cuts.push(text.slice(at, at + length));
    at += length;
  }
  return cuts;
}

function container() {
  const element = document.createElement('div');
  element.className = 'md';
  return element;
}

/** @returns {Promise<object|null>} the first difference between streaming and rendering at once */
async function firstDifference(text, seed, compareEveryStep) {
  const random = randomizer(seed);
  const streamed = container();
  const stream = new MarkdownStream(streamed);
  for (const piece of pieces(text, random)) {
    stream.append(piece);
    if (random() < 0.6) stream.flush();
    if (compareEveryStep && random() < 0.25) {
      stream.flush();
      const atOnce = container();
      new MarkdownStream(atOnce).set(stream.source).flush();
      const difference = differenceOf(outline(streamed, true), outline(atOnce, true));
      if (difference) return { step: stream.source, ...difference };
    }
  }
  await stream.finish();
  const full = container();
  await renderMarkdown(full, text);
  return differenceOf(outline(streamed), outline(full));
}

function differenceOf(streamed, full) {
  const length = Math.max(streamed.length, full.length);
  for (let line = 0; line < length; line += 1) {
    if (streamed[line] !== full[line]) return { line, streamed: streamed[line], full: full[line] };
  }
  return null;
}

/** Every element and attribute under the answer, for comparison with an allow-list. */
function inventory() {
  const seen = new Set();
  for (const element of answer.querySelectorAll('*')) {
    const place = element.closest('.katex') ? 'katex:' : '';
    seen.add(`${place}${element.localName}`);
    for (const { name } of element.attributes) seen.add(`${place}${element.localName}@${name}`);
  }
  const links = [...answer.querySelectorAll('a')].map((a) => [a.protocol, a.rel, a.target, a.referrerPolicy].join(' '));
  return { seen: [...seen].sort(), links: [...new Set(links)] };
}

/** Feeds a text in pieces and measures what each frame cost. */
async function measureStream(text, pieceLength) {
  const stream = new MarkdownStream(answer);
  const costs = [];
  for (let at = 0; at < text.length; at += pieceLength) {
    stream.append(text.slice(at, at + pieceLength));
    const start = performance.now();
    stream.flush();
    void answer.offsetHeight;
    costs.push(performance.now() - start);
  }
  const start = performance.now();
  await stream.finish();
  const last = performance.now() - start;
  return {
    frames: costs.length,
    mean: costs.reduce((a, b) => a + b, 0) / costs.length,
    worst: Math.max(...costs),
    last,
  };
}

window.harness = {
  answer,
  violations,
  outline,
  firstDifference,
  inventory,
  measureStream,
  MarkdownStream,
  upgradeMarkdown,
  render: (text, options) => renderMarkdown(answer, text, options),
  /** The whole outline as text, without the wrapper. */
  async structure(text) {
    await renderMarkdown(answer, text);
    return [...answer.childNodes].flatMap((node) => outline(node)).join('\n');
  },
};
document.documentElement.dataset.ready = 'yes';
