/** The step of a registration where the model is tried live. The other steps need no script. */
import { all, one } from './lib/dom.js';
import { Trial } from './lib/trial.js';

const form = document.querySelector('#trial');
if (form) {
  const trial = new Trial(/** @type {HTMLFormElement} */ (form), one('[data-answer]'));
  for (const button of all('[data-idea]', form)) {
    button.addEventListener('click', () => trial.suggest(button.textContent.trim()));
  }
}
