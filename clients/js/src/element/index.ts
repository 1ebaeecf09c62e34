import { AsfPlayerElement } from "./player.js";

export { AsfPlayerElement } from "./player.js";
export type { Token } from "./shared.js";

declare global {
  interface HTMLElementTagNameMap {
    "asf-player": AsfPlayerElement;
  }
}

/** The name of the element. A page that loads this module twice gets one. */
const NAME = "asf-player";

if (globalThis.customElements !== undefined && customElements.get(NAME) === undefined) {
  customElements.define(NAME, AsfPlayerElement);
}
