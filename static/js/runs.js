/** The list of runs: one box that chooses all. Without a script each is chosen by its own. */
import { all } from './lib/dom.js';

for (const whole of all('[data-all]')) {
  const boxes = all('input[name=run]', whole.closest('table'));
  whole.hidden = false;
  whole.addEventListener('change', () => {
    for (const box of boxes) box.checked = whole.checked;
  });
}
