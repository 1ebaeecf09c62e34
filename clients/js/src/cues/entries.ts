import type { Cue } from "./cue.js";

/** A cue in the list. A cue that replaces it has another entry, with the same order. */
export interface Entry {
  readonly cue: Cue;
  readonly start: number;
  /** Decides between equal starts: which came first. */
  readonly order: number;
}

function compare(one: Entry, other: Entry): number {
  return one.start - other.start || one.order - other.order;
}

/** Entries in the order of their starts. */
export class SortedEntries {
  #entries: Entry[] = [];

  get all(): readonly Entry[] {
    return this.#entries;
  }

  /** Returns the index of the first entry that starts after `seconds`. */
  indexAfter(seconds: number): number {
    return this.#search((entry) => entry.start > seconds);
  }

  /** Returns the index of the first entry that starts at `seconds` or later. */
  indexFrom(seconds: number): number {
    return this.#search((entry) => entry.start >= seconds);
  }

  /**
   * Removes some entries and adds others. Moves only those behind the first of them: cues come roughly in their order.
   */
  change(removed: readonly Entry[], added: readonly Entry[]): void {
    const gone = new Set(removed);
    const sorted = [...added].sort(compare);
    const first = [...removed, ...sorted.slice(0, 1)].reduce<Entry | undefined>(
      (least, entry) => (least === undefined || compare(entry, least) < 0 ? entry : least),
      undefined,
    );
    if (first === undefined) return;
    const tail = this.#entries.splice(this.#search((entry) => compare(entry, first) >= 0));
    let next = 0;
    for (const entry of tail) {
      if (gone.has(entry)) continue;
      while (next < sorted.length && compare(sorted[next]!, entry) < 0) this.#entries.push(sorted[next++]!);
      this.#entries.push(entry);
    }
    while (next < sorted.length) this.#entries.push(sorted[next++]!);
  }

  /** Returns the first index at which the condition holds, which holds from there on. */
  #search(holds: (entry: Entry) => boolean): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.#entries[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
