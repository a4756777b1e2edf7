/** Copies text, also where the page came over plain http and has no clipboard API. */

/** @param {string} text @returns {Promise<boolean>} false: the text is selected, a person must copy it */
export async function copyText(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused (no permission): the old way below still works from a click.
    }
  }
  return copySelected(text);
}

function copySelected(text) {
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") || document.body).append(area); // outside an open dialog nothing can be selected
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
