import type { Cue } from "../cues/cue.js";

/** Words without a sentence are divided into lines where nothing is said for so many seconds. */
const PAUSE_SECONDS = 1.5;

/** Words without a sentence that are in one line at most. */
const MAX_WORDS = 40;

/** What ends a sentence. */
const FULL_STOP = /[.!?…。！？]["'”’»)\]]*\s*$/u;

const LETTER = /[\p{L}\p{N}]/u;

/** Written without spaces between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

/** Characters that could disturb the text around them: controls, and overrides of the direction. */
const DISTURBING = /[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu;

/** A piece of a line's text. */
export interface Part {
  text: string;
  /** The word that it is; null for what is between words. */
  cue: Cue | null;
}

/** A line of a transcript: a sentence, or words of which no sentence is known. */
export interface Line {
  /** The sentence, or the first word. */
  first: Cue;
  parts: readonly Part[];
}

/** Lines that take the place of others. */
export interface Splice {
  index: number;
  removed: readonly Line[];
  added: readonly Line[];
  /** From where on there is more to do, in seconds; null for nowhere. */
  rest: number | null;
}

/** Returns text on one line, without what disturbs. */
export function clean(text: string | undefined): string {
  return (text ?? "").replace(DISTURBING, " ").trim();
}

/**
 * A transcript as lines: the sentences, with their words in them, and other words. Cues of other kinds are not in it.
 *
 * Pure. Only what is around a change is made again.
 */
export class Lines {
  #lines: Line[] = [];

  get all(): readonly Line[] {
    return this.#lines;
  }

  /** Returns the index of the line at `seconds`, or before; -1 if there is none. */
  indexAt(seconds: number): number {
    return lowerBound(this.#lines, (line) => line.first.start > seconds) - 1;
  }

  /**
   * Takes that cues with starts between `from` and `to` have come, have gone, or have changed.
   *
   * @param cues all of them, in the order of their starts.
   * @param budget how many cues to go through, roughly.
   */
  update(cues: readonly Cue[], from: number, to: number, budget = Infinity): Splice {
    const index = this.#restartAt(from);
    const first = index === 0 ? undefined : this.#lines[index]?.first;
    const start = first?.start ?? -Infinity;
    const begin = lowerBound(cues, (cue) => cue.start >= start);
    const added: Draft[] = [];
    let end = this.#lines.length;
    let rest: number | null = null;
    let isSkipping = first !== undefined;
    let count = 0;
    for (const cue of inOrder(cues, begin)) {
      // What is before it is of the line before.
      isSkipping &&= cue !== first && cue.start === start;
      if (isSkipping || !isShown(cue)) continue;
      count += 1;
      const line = added.at(-1);
      if (line?.takes(cue) === true) {
        line.add(cue);
        continue;
      }
      const same = cue.start > Math.max(from, to) ? this.#indexOf(cue, index) : null;
      if (same !== null) {
        end = same;
        break;
      }
      if (count > budget && cue.start > start) {
        end = lowerBound(this.#lines, (other) => other.first.start >= cue.start);
        rest = cue.start;
        break;
      }
      added.push(new Draft(cue));
    }
    const lines = added.map((line) => line.finish());
    const removed = this.#lines.slice(index, end);
    this.#lines = [...this.#lines.slice(0, index), ...lines, ...this.#lines.slice(end)];
    return { index, removed, added: lines, rest };
  }

  clear(): void {
    this.#lines = [];
  }

  /** Returns the index of the line from which on lines may change. */
  #restartAt(from: number): number {
    // What comes may belong to the line before it, or join that with the next one.
    const at = this.indexAt(from);
    if (at <= 0) return 0;
    const { start } = this.#lines[at]!.first;
    const before = lowerBound(this.#lines, (line) => line.first.start >= start) - 1;
    if (before < 0) return 0;
    const { start: first } = this.#lines[before]!.first;
    return lowerBound(this.#lines, (line) => line.first.start >= first);
  }

  /** Returns the index of the line that starts with that cue, not before `from`; null if there is none. */
  #indexOf(cue: Cue, from: number): number | null {
    let index = Math.max(from, lowerBound(this.#lines, (line) => line.first.start >= cue.start));
    for (; index < this.#lines.length && this.#lines[index]!.first.start === cue.start; index += 1) {
      if (this.#lines[index]!.first === cue) return index;
    }
    return null;
  }
}

/** Yields cues in the order of their starts, sentences before words that start with them. */
function* inOrder(cues: readonly Cue[], begin: number): Generator<Cue> {
  for (let index = begin; index < cues.length; ) {
    const { start } = cues[index]!;
    let after = index + 1;
    while (cues[after]?.start === start) after += 1;
    const together = cues.slice(index, after);
    if (together.length > 1) yield* together.filter((cue) => !isWord(cue));
    yield* together.length > 1 ? together.filter(isWord) : together;
    index = after;
  }
}

/** A line that is being made. */
class Draft {
  readonly #first: Cue;
  readonly #words: Cue[] = [];

  constructor(first: Cue) {
    this.#first = first;
    if (isWord(first)) this.#words.push(first);
  }

  /** Returns whether the next cue belongs to the line. */
  takes(cue: Cue): boolean {
    if (!isWord(cue)) return false;
    if (!isWord(this.#first)) return cue.start < (this.#first.end ?? Infinity);
    const last = this.#words.at(-1)!;
    if (this.#words.length >= MAX_WORDS || FULL_STOP.test(last.text ?? "")) return false;
    return cue.start - (last.end ?? last.start) < PAUSE_SECONDS;
  }

  add(word: Cue): void {
    this.#words.push(word);
  }

  finish(): Line {
    const first = this.#first;
    return { first, parts: isWord(first) ? joined(this.#words) : partsOf(clean(first.text), this.#words) };
  }
}

/** Returns a sentence with its words marked in it. Words that are not in it are left out. */
export function partsOf(sentence: string, words: readonly Cue[]): Part[] {
  const parts: Part[] = [];
  let done = 0;
  for (const cue of words) {
    const text = clean(cue.text);
    const at = text === "" ? -1 : find(sentence, text, done);
    if (at < 0) continue;
    if (at > done) parts.push({ text: sentence.slice(done, at), cue: null });
    parts.push({ text, cue });
    done = at + text.length;
  }
  if (done < sentence.length) parts.push({ text: sentence.slice(done), cue: null });
  return parts;
}

/** Returns where a word is in a sentence, from `from` on; -1 if it is not. */
function find(sentence: string, word: string, from: number): number {
  for (let at = sentence.indexOf(word, from); at >= 0; at = sentence.indexOf(word, at + 1)) {
    const [before, after] = [sentence.slice(0, at), sentence.slice(at + word.length)];
    // "a" is in many other words.
    if (!(isInWord(before, word) || isInWord(word, after))) return at;
    if (UNSPACED.test(word) && !LETTER.test(sentence.slice(from, at))) return at;
  }
  return -1;
}

/** Returns whether there is no boundary of words between two texts. */
function isInWord(before: string, after: string): boolean {
  return /[\p{L}\p{N}]$/u.test(before) && /^[\p{L}\p{N}]/u.test(after);
}

/** Returns words as a text. */
function joined(words: readonly Cue[]): Part[] {
  const parts: Part[] = [];
  for (const cue of words) {
    const text = clean(cue.text);
    if (text === "") continue;
    const last = parts.at(-1)?.text ?? "";
    if (last !== "" && needsSpace(last, text)) parts.push({ text: " ", cue: null });
    parts.push({ text, cue });
  }
  return parts;
}

function needsSpace(before: string, after: string): boolean {
  if (/^[\p{Pe}\p{Pf}.,;:!?…%]/u.test(after) || /[\p{Ps}\p{Pi}]$/u.test(before)) return false;
  return !(UNSPACED.test([...before].at(-1)!) && UNSPACED.test([...after][0]!));
}

function isWord({ kind }: Cue): boolean {
  return kind === "word";
}

/** Whether a cue is in the transcript. */
function isShown({ kind, text }: Cue): boolean {
  return (kind === "word" || kind === "sentence" || kind === undefined) && clean(text) !== "";
}

/** Returns the first index at which the condition holds, which holds from there on. */
function lowerBound<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
