import type { Cue } from "../cues/cue.js";
import { element } from "./dom.js";
import { clean } from "./lines.js";
import { clock, LABELS } from "./words.js";

/** The chapters of a podcast, as a list that opens and closes. */
export class Chapters {
  readonly #list = element("ol", "chapter-list", { role: "list" });
  readonly element = element("details", "chapters", { hidden: "" }, element("summary", "chapters-title", {}, LABELS.chapters), this.#list);
  readonly #seek: (seconds: number) => void;
  #buttons = new Map<Cue, HTMLButtonElement>();
  #marked: ReadonlySet<HTMLButtonElement> = new Set();

  constructor(seek: (seconds: number) => void) {
    this.#seek = seek;
  }

  get isEmpty(): boolean {
    return this.#buttons.size === 0;
  }

  /** Shows the chapters among the cues. */
  render(cues: readonly Cue[]): void {
    const before = this.#buttons;
    this.#buttons = new Map();
    const isGone = new Set(before.keys());
    for (const cue of cues) isGone.delete(cue);
    for (const cue of isGone) before.get(cue)!.parentElement!.remove();
    let next = this.#list.firstElementChild;
    for (const cue of cues) {
      if (!isChapter(cue)) continue;
      const button = before.get(cue) ?? this.#buttonOf(cue);
      this.#buttons.set(cue, button);
      // Those that stay are not moved: one may have the focus.
      if (next === button.parentElement) next = next?.nextElementSibling ?? null;
      else this.#list.insertBefore(button.parentElement!, next);
    }
    this.element.hidden = this.isEmpty;
  }

  /** Marks the chapters that are heard. */
  mark(active: ReadonlySet<Cue>): void {
    const buttons = [...active].map((cue) => this.#buttons.get(cue)).filter((button) => button !== undefined);
    const marked = new Set(buttons);
    for (const button of this.#marked) {
      if (marked.has(button)) continue;
      button.part.remove("active-chapter");
      button.removeAttribute("aria-current");
    }
    for (const button of marked) {
      button.part.add("active-chapter");
      button.setAttribute("aria-current", "true");
    }
    this.#marked = marked;
  }

  #buttonOf(cue: Cue): HTMLButtonElement {
    const time = element("span", "", { part: "chapter-time", class: "chapter-time" }, clock(cue.start));
    const name = element("span", "", { part: "chapter-name", class: "chapter-name", dir: "auto" }, clean(cue.text) || clock(cue.start));
    const button = element("button", "", { part: "chapter", class: "chapter", type: "button" }, time, name);
    button.addEventListener("click", () => this.#seek(cue.start));
    element("li", "", {}, button);
    return button;
  }
}

/** Whether a cue is a chapter. */
export function isChapter({ kind }: Cue): boolean {
  return kind === "chapter";
}
