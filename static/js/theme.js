/** Changes the theme at once; the same form works without this script. */

/** @param {SubmitEvent} event */
function choose(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const chosen = /** @type {HTMLButtonElement} */ (event.submitter);
  document.documentElement.dataset.theme = chosen.value;
  for (const button of form.querySelectorAll('button')) button.setAttribute('aria-pressed', String(button === chosen));
  const body = new FormData(form);
  body.set(chosen.name, chosen.value);
  // Without a connection the choice holds for this page only.
  fetch(form.action, { method: 'POST', body, redirect: 'manual' }).catch(() => undefined);
}

for (const form of document.querySelectorAll('[data-theme-form]')) {
  form.addEventListener('submit', /** @type {EventListener} */ (choose));
}
