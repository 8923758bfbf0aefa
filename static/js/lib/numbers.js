/** Numbers as the page's language writes them. */
const LANGUAGE = document.documentElement.lang || 'en';
const COUNT = new Intl.NumberFormat(LANGUAGE);
const PERCENT = new Intl.NumberFormat(LANGUAGE, { style: 'percent', maximumFractionDigits: 0 });
const SECONDS = new Intl.NumberFormat(LANGUAGE, {
  style: 'unit', unit: 'second', unitDisplay: 'short', minimumFractionDigits: 1, maximumFractionDigits: 1,
});

export const count = (/** @type {number} */ n) => COUNT.format(n);
export const percent = (/** @type {number} */ share) => PERCENT.format(share);
export const seconds = (/** @type {number} */ n) => SECONDS.format(n);

/** A rating is a label more than an amount: no separators. */
export const rating = (/** @type {number} */ n) => String(Math.round(n));

/**
 * @param {number} lower
 * @param {number} upper
 */
export function range(lower, upper) {
  return lower === upper ? rating(lower) : `${rating(lower)}–${rating(upper)}`;
}

/** Characters as the server counts them, whatever their plane. */
export function length(/** @type {string} */ text) {
  let n = 0;
  for (const _ of text) n += 1;
  return n;
}
