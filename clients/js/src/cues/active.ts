import type { Cue, CueTransition } from "./cue.js";
import { Ends } from "./ends.js";
import type { Entry } from "./entries.js";
import type { CueList, ListChange } from "./list.js";

/**
 * Which cues are heard. A cue is active from its start on, until before its end.
 *
 * Pure: it takes the position, and returns what happens there, in the order in which it is heard.
 */
export class ActiveCues {
  readonly #list: CueList;
  /** With their ends: one of an entry in `#ends` that is not that one is out of date. */
  readonly #active = new Map<Entry, number>();
  readonly #ends = new Ends();
  #position = 0;
  /** Nothing was heard at the position yet: cues enter when it is. */
  #isSilent = true;

  constructor(list: CueList) {
    this.#list = list;
  }

  /** The active cues, in the order of their starts. */
  get cues(): Cue[] {
    const entries = [...this.#active.keys()];
    return entries.sort((one, other) => one.start - other.start || one.order - other.order).map(({ cue }) => cue);
  }

  get position(): number {
    return this.#position;
  }

  /** The next position at which a cue enters or exits, in seconds; infinite if none does. */
  get next(): number {
    if (this.#isSilent) return Infinity;
    const { entries } = this.#list;
    const start = entries[this.#list.indexAfter(this.#position)]?.start ?? Infinity;
    return Math.min(start, this.#firstEnd);
  }

  /** Everything up to `position` was heard. */
  advance(position: number): CueTransition[] {
    if (this.#isSilent) return this.land(position);
    const transitions: CueTransition[] = [];
    const { entries } = this.#list;
    let index = this.#list.indexAfter(this.#position);
    for (;;) {
      const entry = entries[index];
      const end = this.#firstEnd;
      if (Math.min(entry?.start ?? Infinity, end) > position) break;
      if (entry === undefined || end <= entry.start) {
        transitions.push(this.#exit(this.#ends.first!.entry));
      } else {
        transitions.push(this.#enter(entry, this.#list.endOf(entry)));
        index += 1;
      }
    }
    this.#position = position;
    return transitions;
  }

  /** The playhead has moved to `position`, where nothing was heard yet: cues that are not there exit. */
  leave(position: number): CueTransition[] {
    this.#position = position;
    this.#isSilent = true;
    return this.#exitOthers();
  }

  /** `position` is heard, and what was between was not. */
  land(position: number): CueTransition[] {
    const transitions = this.leave(position);
    this.#isSilent = false;
    const { entries } = this.#list;
    const count = this.#list.indexAfter(position);
    for (let index = 0; index < count; index += 1) this.#enterIfHeard(entries[index]!, transitions);
    return transitions;
  }

  /** The list has changed. */
  changed({ added, replaced, moved }: ListChange): CueTransition[] {
    const transitions: CueTransition[] = [];
    for (const { before } of replaced) if (this.#active.has(before)) transitions.push(this.#exit(before));
    for (const entry of moved) {
      if (!this.#active.has(entry)) continue;
      const end = this.#list.endOf(entry);
      if (end <= this.#position) transitions.push(this.#exit(entry));
      else this.#follow(entry, end);
    }
    if (this.#isSilent) return transitions;
    const fresh = [...added, ...replaced.map(({ after }) => after), ...moved];
    fresh.sort((one, other) => one.start - other.start);
    for (const entry of fresh) this.#enterIfHeard(entry, transitions);
    return transitions;
  }

  /** Nothing is heard any more. */
  clear(): CueTransition[] {
    this.#isSilent = true;
    return [...this.#active.keys()].map((entry) => this.#exit(entry));
  }

  get #firstEnd(): number {
    for (;;) {
      const { first } = this.#ends;
      if (first === undefined) return Infinity;
      if (this.#active.get(first.entry) === first.end) return first.end;
      this.#ends.drop();
    }
  }

  #enterIfHeard(entry: Entry, transitions: CueTransition[]): void {
    if (entry.start > this.#position || this.#active.has(entry)) return;
    const end = this.#list.endOf(entry);
    if (end > this.#position) transitions.push(this.#enter(entry, end));
  }

  #exitOthers(): CueTransition[] {
    const others = [...this.#active].filter(([{ start }, end]) => this.#position < start || this.#position >= end);
    const transitions = others.map(([entry]) => this.#exit(entry));
    this.#ends.clear();
    for (const [entry, end] of this.#active) this.#ends.add(entry, end);
    return transitions;
  }

  #enter(entry: Entry, end: number): CueTransition {
    this.#follow(entry, end);
    return { cue: entry.cue, state: "enter" };
  }

  #follow(entry: Entry, end: number): void {
    this.#active.set(entry, end);
    this.#ends.add(entry, end);
  }

  #exit(entry: Entry): CueTransition {
    this.#active.delete(entry);
    return { cue: entry.cue, state: "exit" };
  }
}
