/** As much of the DOM as the transcript needs, without layout. */

class Node {
  parentElement = null;
}

class Text extends Node {
  constructor(text) {
    super();
    this.textContent = text;
  }
}

class Element extends EventTarget {
  parentElement = null;
  nodes = [];
  attributes = new Map();
  hidden = false;
  tabIndex = -1;
  scrollTop = 0;
  clientHeight = 0;
  classList = tokens(this, "class");
  part = tokens(this, "part");

  constructor(name) {
    super();
    this.name = name;
  }

  get children() {
    return this.nodes.filter((node) => node instanceof Element);
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get nextElementSibling() {
    const { children } = this.parentElement;
    return children[children.indexOf(this) + 1] ?? null;
  }

  get previousElementSibling() {
    const { children } = this.parentElement;
    return children[children.indexOf(this) - 1] ?? null;
  }

  get textContent() {
    return this.nodes.map(({ textContent }) => textContent).join("");
  }

  append(...nodes) {
    for (const node of nodes) this.insertBefore(typeof node === "string" ? new Text(node) : node, null);
  }

  replaceChildren(...nodes) {
    for (const node of [...this.nodes]) remove(node);
    this.append(...nodes);
  }

  insertBefore(node, before) {
    remove(node);
    const index = before === null ? this.nodes.length : this.nodes.indexOf(before);
    if (index < 0) throw new Error("It is no child.");
    this.nodes.splice(index, 0, node);
    node.parentElement = this;
  }

  remove() {
    remove(this);
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
    if (name === "hidden") this.hidden = true;
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }

  hasAttribute(name) {
    return this.attributes.has(name);
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  /** Knows selectors of one class only. */
  querySelector(selector) {
    return this.all(selector.slice(1))[0] ?? null;
  }

  /** All elements of a class, in their order. */
  all(name) {
    return this.children.flatMap((child) => [...(child.classList.contains(name) ? [child] : []), ...child.all(name)]);
  }

  closest(selectors) {
    const names = selectors.split(", ").map((selector) => selector.slice(1));
    if (names.some((name) => this.classList.contains(name))) return this;
    return this.parentElement?.closest(selectors) ?? null;
  }

  getRootNode() {
    return root;
  }

  focus() {
    root.activeElement = this;
  }

  click() {
    const event = new Event("click");
    event.detail = 0;
    event.composedPath = () => [this];
    for (let node = this; node !== null; node = node.parentElement) node.dispatchEvent(event);
  }
}

const root = { activeElement: null };

function remove(node) {
  const nodes = node.parentElement?.nodes ?? [];
  if (nodes.includes(node)) nodes.splice(nodes.indexOf(node), 1);
  node.parentElement = null;
}

function tokens(element, attribute) {
  const all = () => (element.attributes.get(attribute) ?? "").split(" ").filter((token) => token !== "");
  const toggle = (token, isOn) => element.attributes.set(attribute, [...all().filter((other) => other !== token), ...(isOn ? [token] : [])].join(" "));
  return { contains: (token) => all().includes(token), toggle, add: (token) => toggle(token, true), remove: (token) => toggle(token, false) };
}

const frames = [];

/** Runs what waits for the next frame. */
export function frame() {
  for (const draw of frames.splice(0)) draw?.();
}

Object.assign(globalThis, {
  Element,
  HTMLElement: Element,
  ShadowRoot: class {},
  document: { createElement: (name) => new Element(name) },
  requestAnimationFrame: (draw) => frames.push(draw),
  cancelAnimationFrame: () => frames.splice(0),
});
