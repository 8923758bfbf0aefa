/** Single-key shortcuts. They keep still while a field has the focus (but for Escape), a dialog is open or a modifier is held. */
const FIELDS = 'input, textarea, select, [contenteditable]';

/** @param {KeyboardEvent} event */
function isModified(event) {
  // On many keyboards [ and ] need AltGr, which reports itself as Ctrl and Alt.
  if (event.getModifierState('AltGraph')) return false;
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  return event.shiftKey && /^[a-z0-9]$/i.test(event.key);
}

/** An input method takes Enter and Escape for itself while it composes. */
export function isComposing(/** @type {KeyboardEvent} */ event) {
  return event.isComposing || event.keyCode === 229;
}

export class Keys {
  /** @type {Map<string, () => void>} */
  #actions = new Map();

  /** @param {() => boolean} isOn */
  constructor(isOn) {
    document.addEventListener('keydown', (event) => {
      if (isOn()) this.#press(event);
    });
  }

  /**
   * @param {string} key
   * @param {() => void} action
   */
  on(key, action) {
    this.#actions.set(key, action);
    return this;
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const action = this.#actions.get(event.key);
    if (!action || event.repeat || event.defaultPrevented || isModified(event) || isComposing(event)) return;
    const target = /** @type {Element} */ (event.target);
    // Escape writes nothing, and the box keeps the focus after a prompt was sent.
    if ((target.matches?.(FIELDS) && event.key !== 'Escape') || document.querySelector('dialog[open]')) return;
    event.preventDefault();
    action();
  }
}
