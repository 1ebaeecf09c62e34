import { byId } from "./dom.js";

/** Asks before something is done. */
export class Confirmation {
  readonly #dialog = byId<HTMLDialogElement>("confirm");
  readonly #title = byId("confirm-title");
  readonly #text = byId("confirm-text");
  readonly #yes = byId<HTMLButtonElement>("confirm-yes");

  constructor() {
    byId("confirm-no").addEventListener("click", () => this.#dialog.close("no"));
    this.#yes.addEventListener("click", () => this.#dialog.close("yes"));
  }

  /** Resolves to whether the operator has confirmed. `action` is what the button says. */
  ask(title: string, text: string, action: string): Promise<boolean> {
    if (this.#dialog.open) return Promise.resolve(false);
    this.#title.textContent = title;
    this.#text.textContent = text;
    this.#yes.textContent = action;
    this.#dialog.returnValue = "no";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => resolve(this.#dialog.returnValue === "yes"), { once: true });
    });
  }
}
