import { cueOf, isSame, keyOf, type Cue, type CuesChange } from "./cue.js";
import { SortedEntries, type Entry } from "./entries.js";

/** How the list has changed. */
export interface ListChange {
  readonly added: readonly Entry[];
  readonly replaced: readonly { readonly before: Entry; readonly after: Entry }[];
  /** Others, without an end of their own, that now end elsewhere than before. */
  readonly moved: readonly Entry[];
}

/** All cues of one epoch of a stream that have come, in the order of their starts. */
export class CueList {
  readonly #sorted = new SortedEntries();
  /** By kind. */
  readonly #tracks = new Map<string | undefined, SortedEntries>();
  readonly #byKey = new Map<string, Entry>();
  #orders = 0;
  #snapshot: readonly Cue[] | null = null;

  /** All entries, in the order of their starts. */
  get entries(): readonly Entry[] {
    return this.#sorted.all;
  }

  /** All cues, in the order of their starts. The array does not change any more. */
  get cues(): readonly Cue[] {
    return (this.#snapshot ??= Object.freeze(this.entries.map(({ cue }) => cue)));
  }

  /** Returns the index of the first entry that starts after `seconds`. */
  indexAfter(seconds: number): number {
    return this.#sorted.indexAfter(seconds);
  }

  /** Returns where an entry ends: without an end of its own, where the next one of its kind starts. */
  endOf({ cue, start }: Entry): number {
    if (cue.end !== undefined) return cue.end;
    const track = this.#tracks.get(cue.kind);
    return track?.all[track.indexAfter(start)]?.start ?? Infinity;
  }

  /** Takes cues as the server sends them. Those without an id that are there already have no effect. */
  take(sent: readonly unknown[]): ListChange {
    const replaced = new Map<Entry, Entry>();
    const added = new Map<string, Entry>();
    for (const cue of sent.map(cueOf)) {
      if (cue === null) continue;
      const key = keyOf(cue);
      const before = this.#byKey.get(key);
      const last = before === undefined ? added.get(key) : (replaced.get(before) ?? before);
      if (last !== undefined && isSame(last.cue, cue)) continue;
      const entry = { cue, start: cue.start, order: last?.order ?? this.#orders++ };
      if (before === undefined) added.set(key, entry);
      else replaced.set(before, entry);
    }
    const change = [...added.values()].sort((one, other) => one.start - other.start);
    const pairs = [...replaced].filter(([before, after]) => !isSame(before.cue, after.cue));
    pairs.sort(([, one], [, other]) => one.start - other.start);
    return this.#apply(change, pairs);
  }

  #apply(added: readonly Entry[], pairs: readonly [Entry, Entry][]): ListChange {
    const before = pairs.map(([entry]) => entry);
    const fresh = [...added, ...pairs.map(([, entry]) => entry)];
    if (fresh.length === 0) return { added, replaced: [], moved: [] };
    this.#snapshot = null;
    for (const entry of fresh) this.#byKey.set(keyOf(entry.cue), entry);
    this.#sorted.change(before, fresh);
    for (const kind of new Set([...before, ...fresh].map(({ cue }) => cue.kind))) {
      const isOfKind = (entry: Entry): boolean => entry.cue.kind === kind;
      this.#trackOf(kind).change(before.filter(isOfKind), fresh.filter(isOfKind));
    }
    const moved = this.#endingAt([...before, ...fresh], new Set(fresh));
    return { added, replaced: pairs.map(([one, other]) => ({ before: one, after: other })), moved };
  }

  #trackOf(kind: string | undefined): SortedEntries {
    let track = this.#tracks.get(kind);
    if (track === undefined) this.#tracks.set(kind, (track = new SortedEntries()));
    return track;
  }

  /** Returns the entries without an end of their own, not in `fresh`, that end where the changed ones start, or did. */
  #endingAt(changed: readonly Entry[], fresh: ReadonlySet<Entry>): Entry[] {
    const found = new Set<Entry>();
    const seen = new Map<SortedEntries, Set<number>>();
    for (const { cue, start } of changed) {
      const track = this.#trackOf(cue.kind);
      const last = track.indexFrom(start) - 1;
      const starts = seen.get(track) ?? new Set();
      seen.set(track, starts);
      if (last < 0 || starts.has(last)) continue;
      starts.add(last);
      const { start: same } = track.all[last]!;
      for (let index = last; index >= 0 && track.all[index]!.start === same; index -= 1) {
        const entry = track.all[index]!;
        if (entry.cue.end === undefined && !fresh.has(entry)) found.add(entry);
      }
    }
    return [...found].sort((one, other) => one.start - other.start || one.order - other.order);
  }
}

/** Returns a change as applications see it; null if there is none. */
export function shown({ added, replaced }: ListChange): CuesChange | null {
  if (added.length === 0 && replaced.length === 0) return null;
  return {
    added: added.map(({ cue }) => cue),
    replaced: replaced.map(({ before, after }) => ({ before: before.cue, after: after.cue })),
  };
}
