/** Something that is said, or begins, at a time in the audio (contract, section 9). Immutable. */
export interface Cue {
  /** A later cue with the same id replaces this one. */
  readonly id?: string;
  /** Seconds from the beginning of the audio. */
  readonly start: number;
  /** Seconds; without it, the cue ends where the next one of its kind starts, the last one with the audio. */
  readonly end?: number;
  readonly text?: string;
  /** `word`, `sentence`, `chapter`, or any other name. */
  readonly kind?: string;
  /** Whatever the backend has added. */
  readonly data?: unknown;
}

/** The cues of a playback have changed. */
export interface CuesChange {
  /** New ones, in the order of their starts. */
  readonly added: readonly Cue[];
  /** Those that have replaced others, in the order of their starts. */
  readonly replaced: readonly { readonly before: Cue; readonly after: Cue }[];
}

/** What is heard has entered or left a cue. */
export interface CueTransition {
  readonly cue: Cue;
  readonly state: "enter" | "exit";
}

/** Returns the cue that the server has sent; null for anything else. */
export function cueOf(sent: unknown): Cue | null {
  const { id, start, end, text, kind, data } = (sent ?? {}) as Record<string, unknown>;
  if (!isTime(start)) return null;
  return Object.freeze({
    ...(typeof id === "string" ? { id } : {}),
    start,
    ...(isTime(end) && end >= start ? { end } : {}),
    ...(typeof text === "string" ? { text } : {}),
    ...(typeof kind === "string" ? { kind } : {}),
    ...(data === undefined ? {} : { data }),
  });
}

/** Returns what two cues have in common of which the later one replaces the earlier one. */
export function keyOf(cue: Cue): string {
  // Without an id, only the same cue again: a server repeats some after a lost connection.
  return cue.id === undefined ? contentOf(cue) : `#${cue.id}`;
}

/** Returns whether two cues are the same in all fields. */
export function isSame(one: Cue, other: Cue): boolean {
  return one.start === other.start && one.text === other.text && contentOf(one) === contentOf(other);
}

function contentOf({ id, start, end, text, kind, data }: Cue): string {
  return JSON.stringify([id, start, end, text, kind, data]);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
