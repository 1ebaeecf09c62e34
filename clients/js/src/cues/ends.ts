import type { Entry } from "./entries.js";

interface Item {
  readonly end: number;
  readonly entry: Entry;
}

/** Entries by their ends, the earliest first: a binary heap. */
export class Ends {
  #items: Item[] = [];

  /** The earliest one; undefined if there is none. */
  get first(): Item | undefined {
    return this.#items[0];
  }

  add(entry: Entry, end: number): void {
    const items = this.#items;
    const item = { end, entry };
    let index = items.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (items[parent]!.end <= end) break;
      items[index] = items[parent]!;
      index = parent;
    }
    items[index] = item;
  }

  /** Removes the earliest one. */
  drop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.end < items[child]!.end) child += 1;
      if (items[child]!.end >= last.end) break;
      items[index] = items[child]!;
      index = child;
    }
    items[index] = last;
  }

  clear(): void {
    this.#items = [];
  }
}
