/** Two ratings with their intervals, drawn on one scale, and that scale. */
const SVG = 'http://www.w3.org/2000/svg';
const STEPS = [5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000];
const MARGIN = 0.08;
const MOST_TICKS = 4;

/** @typedef {import('./state.js').Standing} Standing */

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

/** Round numbers along one scale that holds every interval. */
export class Scale {
  #low;
  #width;

  /** @param {Standing[]} standings */
  constructor(standings) {
    const low = Math.min(...standings.map((standing) => standing.lower));
    const high = Math.max(...standings.map((standing) => standing.upper));
    const width = Math.max(high - low, 1);
    this.#low = low - width * MARGIN;
    this.#width = width * (1 + 2 * MARGIN);
  }

  /** @param {number} rating */
  percent(rating) {
    return `${(((rating - this.#low) / this.#width) * 100).toFixed(2)}%`;
  }

  get ticks() {
    const step = STEPS.find((size) => this.#width / size <= MOST_TICKS) ?? STEPS[STEPS.length - 1];
    const first = Math.ceil(this.#low / step) * step;
    const last = this.#low + this.#width;
    return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
  }
}

/**
 * @param {Scale} scale
 * @param {Standing} standing
 * @param {string} side
 */
export function whisker(scale, standing, side) {
  const svg = shape('svg', { class: `whisker whisker-${side}`, height: 24 });
  svg.classList.toggle('is-preliminary', standing.preliminary);
  const [low, mid, high] = [standing.lower, standing.rating, standing.upper].map((value) => scale.percent(value));
  for (const tick of scale.ticks) {
    const x = scale.percent(tick);
    svg.append(shape('line', { class: 'whisker-grid', x1: x, x2: x, y1: 0, y2: 24 }));
  }
  svg.append(
    shape('line', { class: 'whisker-line', x1: low, x2: high, y1: 12, y2: 12 }),
    shape('line', { class: 'whisker-end', x1: low, x2: low, y1: 8, y2: 16 }),
    shape('line', { class: 'whisker-end', x1: high, x2: high, y1: 8, y2: 16 }),
    shape('circle', { cx: mid, cy: 12, r: 4.5 }),
  );
  return svg;
}

/** @param {Scale} scale */
export function axis(scale) {
  const svg = shape('svg', { class: 'whisker whisker-axis', height: 18 });
  for (const tick of scale.ticks) {
    const label = shape('text', { x: scale.percent(tick), y: 13, 'text-anchor': 'middle' });
    label.textContent = String(tick);
    svg.append(label);
  }
  return svg;
}
