import { byId, focusHeading } from "./dom.js";

/** The buttons that lead through the pages of a list: what is shown stays small however long the list is. */
export class Pages {
  readonly #next: HTMLButtonElement;
  readonly #first: HTMLButtonElement;
  #cursor = "";
  #nextCursor: string | null = null;

  /** `name` begins the ids of the buttons. `changed` is called when another page is to be shown. */
  constructor(name: string, changed: () => void) {
    this.#next = byId<HTMLButtonElement>(`${name}-next`);
    this.#first = byId<HTMLButtonElement>(`${name}-first`);
    const turn = (cursor: string): void => {
      this.#cursor = cursor;
      changed();
    };
    this.#next.addEventListener("click", () => turn(this.#nextCursor ?? ""));
    this.#first.addEventListener("click", () => turn(""));
  }

  get cursor(): string {
    return this.#cursor;
  }

  reset(): void {
    this.#cursor = "";
  }

  /** Notes what follows the page that is shown. */
  show(nextCursor: string | null): void {
    this.#nextCursor = nextCursor;
    const focused = document.activeElement;
    this.#next.hidden = nextCursor === null;
    this.#first.hidden = this.#cursor === "";
    for (const one of [this.#next, this.#first]) if (one.hidden && one === focused) focusHeading(one);
  }
}
