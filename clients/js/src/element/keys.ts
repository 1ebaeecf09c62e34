/** What a key does. */
export type KeyAction = "toggle" | "back" | "forward" | "skipBack" | "skipForward" | "louder" | "quieter" | "mute" | "start" | "end";

const ACTIONS: Readonly<Record<string, KeyAction>> = {
  " ": "toggle",
  k: "toggle",
  ArrowLeft: "back",
  ArrowRight: "forward",
  j: "skipBack",
  l: "skipForward",
  ArrowUp: "louder",
  ArrowDown: "quieter",
  m: "mute",
  Home: "start",
  End: "end",
};

/** Keys that a focused control uses itself, by control. */
const OWN_KEYS: Readonly<Record<Control, RegExp>> = {
  none: /^$/,
  button: /^( |Enter)$/,
  // The position slider's keys move the playhead: left and right by the same steps as elsewhere.
  position: /^(ArrowUp|ArrowDown|PageUp|PageDown)$/,
  slider: /^(Arrow.*|Home|End|Page.*)$/,
  // Typing selects an option, or enters text.
  text: /^/,
};

/** The kind of control that has the focus. */
export type Control = "none" | "button" | "position" | "slider" | "text";

/** A key press. */
export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** Something else has already reacted. */
  defaultPrevented: boolean;
}

/** Returns what a key press does in the player; null for nothing, or where it belongs to the focused control. */
export function keyAction(press: Press, control: Control): KeyAction | null {
  if (press.defaultPrevented || press.ctrlKey || press.metaKey || press.altKey) return null;
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  return OWN_KEYS[control].test(key) ? null : (ACTIONS[key] ?? null);
}

/** Returns the kind of an element that has the focus. */
export function controlOf(element: EventTarget | undefined, position: HTMLElement): Control {
  if (element === position) return "position";
  if (!(element instanceof HTMLElement)) return "none";
  if (element instanceof HTMLInputElement) return element.type === "range" ? "slider" : "text";
  if (element instanceof HTMLSelectElement || element instanceof HTMLTextAreaElement || element.isContentEditable) return "text";
  return element.closest("button, a[href], summary") === null ? "none" : "button";
}
