/** Elements of the page, and new ones. Text is only ever set as text: names are never taken for HTML. */

export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element ${id}.`);
  return found as Kind;
}

export function element(name: string, text = "", className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== "") made.className = className;
  return made;
}

export function button(text: string, label: string, onClick: () => void): HTMLButtonElement {
  const made = element("button", text) as HTMLButtonElement;
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

/** Characters that show nothing, or change the order in which others are shown (Unicode: Cc, Cf, Zl, Zp). */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A name as it is shown: with escape sequences for what is invisible, so that no name looks like another one. */
export function printable(name: string): string {
  return name.replace(INVISIBLE, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The name within a sentence, whose order it does not change if it is written from right to left (Unicode: FSI, PDI). */
export function quoted(name: string): string {
  const shown = printable(name);
  return /^[ -~]*$/.test(shown) ? shown : `\u2068${shown}\u2069`;
}

/** Moves the focus to the heading of the section that `inner` is in: where the keyboard continues when what had it is gone. */
export function focusHeading(inner: HTMLElement): void {
  inner.closest("section")?.querySelector("h2")?.focus();
}

/** Sets the text unless it is the same, so that screen readers do not repeat it. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
