/** A form with a file: one that is too large is refused before it is sent, and what was wrong with the last one is shown first. */

import { all, one } from "./lib/dom.js";

for (const form of all("[data-upload]")) {
  const field = one("input[type=file]", form);
  const most = Number(field.dataset.mostBytes);
  const check = () => {
    const file = field.files[0];
    field.setCustomValidity(file && file.size > most ? form.dataset.tooLarge : "");
  };
  field.addEventListener("change", () => {
    check();
    field.reportValidity();
  });
}

for (const problems of all("[data-problems]")) problems.focus();
