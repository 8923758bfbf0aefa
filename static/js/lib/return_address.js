/** The page got an address of its own: whoever signs in, or changes the language, comes back to that one. */
import { all } from './dom.js';

/** @param {string} path */
export function comeBackTo(path) {
  for (const field of all('.site-header input[name="next"]')) field.value = path;
  for (const link of all('a[data-sign-in]')) {
    const query = new URLSearchParams(link.search);
    query.set('next', path);
    link.search = String(query);
  }
}
