/** Builds elements without HTML text, which strict Content-Security-Policies and Trusted Types permit. */

const SVG = "http://www.w3.org/2000/svg";

/** Returns a new element with these attributes and children. `part` is also its id in the shadow tree. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  part: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (part !== "") {
    made.setAttribute("part", part);
    made.id = part;
  }
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Returns a drawing of 24 by 24 units: filled paths, and lines. */
export function icon({ fill = "", lines = "", text = "" }: Icon): SVGSVGElement {
  const drawing = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" });
  if (fill !== "") drawing.append(svg("path", { d: fill, fill: "currentColor" }));
  const stroke = { fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round" };
  if (lines !== "") drawing.append(svg("path", { d: lines, ...stroke, "stroke-linejoin": "round" }));
  if (text !== "") {
    const words = svg("text", { x: "12", y: "15.6", "text-anchor": "middle", "font-size": "7.5", "font-weight": "700", fill: "currentColor" });
    words.textContent = text;
    drawing.append(words);
  }
  return drawing as SVGSVGElement;
}

export interface Icon {
  fill?: string;
  lines?: string;
  text?: string;
}

function svg(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export const ICONS = {
  play: { fill: "M8 5.3v13.4a.8.8 0 0 0 1.2.7l10.6-6.7a.8.8 0 0 0 0-1.4L9.2 4.6a.8.8 0 0 0-1.2.7z" },
  pause: { fill: "M7 5h3.4v14H7zM13.6 5H17v14h-3.4z" },
  back: { lines: "M12 4.5a8.2 8.2 0 1 1-7.6 5.1M12 1.8 8.9 4.5 12 7.2", text: "15" },
  forward: { lines: "M12 4.5a8.2 8.2 0 1 0 7.6 5.1M12 1.8l3.1 2.7L12 7.2", text: "15" },
  sound: { fill: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z", lines: "M15 9a4.2 4.2 0 0 1 0 6M17.5 6.5a7.8 7.8 0 0 1 0 11" },
  silence: { fill: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z", lines: "M15.5 9.5l5 5M20.5 9.5l-5 5" },
} as const satisfies Record<string, Icon>;

/** Sets a text, unless it is the same: otherwise screen readers might announce it again. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Adds styles to a shadow tree in a way that strict Content-Security-Policies permit. */
export function adoptStyles(root: ShadowRoot, text: string): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    root.adoptedStyleSheets = [sheet];
  } catch {
    // Browsers of before 2023 cannot construct style sheets.
    const style = document.createElement("style");
    style.textContent = text;
    root.append(style);
  }
}
