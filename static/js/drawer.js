/** The panel at the side: one <dialog> for whatever wants to be looked at closely. */

import { fill, part, setText } from "./dom.js";

let whenClosed = null;

/** Opens the panel; focus goes to its title, and back to where it was when it closes. */
export function openDrawer(title, content, onClose = null) {
  const drawer = /** @type {HTMLDialogElement} */ (part("drawer"));
  setText(part("drawerTitle"), title);
  fill(part("drawerBody"), ...content);
  part("drawerBody").scrollTop = 0;
  if (!whenClosed) {
    drawer.addEventListener("close", () => whenClosed?.());
    drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  }
  whenClosed = onClose || (() => {});
  if (!drawer.open) drawer.showModal();
  part("drawerTitle").focus();
}
