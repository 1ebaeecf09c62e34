import type { Cue, CuesChange, CueTransition } from "../cues/cue.js";
import { Chapters, isChapter } from "./chapters.js";
import { element } from "./dom.js";
import { Follower } from "./follower.js";
import { Lines, type Line, type Splice } from "./lines.js";
import { LABELS } from "./words.js";

/** Cues that are gone through in one frame. */
const FRAME_CUES = 1500;

/** What the transcript asks for. */
export interface TranscriptHost {
  /** All cues, in the order of their starts. */
  cues(): readonly Cue[];
  /** The user has chosen that time. */
  seek(seconds: number): void;
}

interface Row {
  item: HTMLLIElement;
  line: HTMLElement;
  words: Cue[];
}

/** The transcript of a player, with its chapters: what is heard is marked and followed, and what is chosen is played. */
export class Transcript {
  readonly #host: TranscriptHost;
  readonly #chapters: Chapters;
  readonly #list = element("ol", "lines", { role: "list", "aria-label": LABELS.transcript });
  readonly #follow = element("button", "follow", { type: "button", hidden: "" }, LABELS.follow);
  readonly element: HTMLElement;
  readonly #follower: Follower;
  readonly #lines = new Lines();
  readonly #rows = new Map<Line, Row>();
  readonly #rowOf = new WeakMap<Element, Row>();
  readonly #wordOf = new Map<Cue, HTMLElement>();
  readonly #secondsOf = new WeakMap<Element, number>();
  readonly #active = new Set<Cue>();
  #lit = new Set<HTMLElement>();
  #current: Row | null = null;
  #tabStop: HTMLElement | null = null;
  /** The times between which cues have changed that are not shown yet. */
  #due: { from: number; to: number } | null = null;
  #hasNewChapters = false;
  #frame: number | null = null;

  constructor(host: TranscriptHost) {
    this.#host = host;
    this.#chapters = new Chapters((seconds) => this.#choose(seconds));
    this.#follower = new Follower(this.#list, (isFollowing) => this.#render(isFollowing));
    this.element = element("section", "transcript", { hidden: "" }, this.#chapters.element, this.#list, this.#follow);
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#list.addEventListener("keydown", (event) => this.#pressed(event));
    this.#follow.addEventListener("click", () => this.#followAgain());
  }

  /** Forgets everything: another playback begins. */
  clear(): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = this.#due = this.#current = this.#tabStop = null;
    this.#lines.clear();
    this.#rows.clear();
    this.#wordOf.clear();
    this.#active.clear();
    this.#lit.clear();
    this.#list.replaceChildren();
    this.#chapters.render([]);
    this.#follower.start();
    this.#render(true);
  }

  /** Takes that the cues have changed. They are shown in the next frame. */
  changed({ added, replaced }: CuesChange): void {
    const cues = [...added, ...replaced.flatMap(({ before, after }) => [before, after])];
    let [from, to] = this.#due === null ? [Infinity, -Infinity] : [this.#due.from, this.#due.to];
    for (const { start } of cues) [from, to] = [Math.min(from, start), Math.max(to, start)];
    this.#due = { from, to };
    this.#hasNewChapters ||= cues.some(isChapter);
    this.#frame ??= requestAnimationFrame(() => this.#show());
  }

  /** What is heard has entered or left a cue. */
  passed({ cue, state }: CueTransition): void {
    if (state === "enter") this.#active.add(cue);
    else this.#active.delete(cue);
    this.#mark();
  }

  /** The playhead stands there: marks the line, though nothing is heard. */
  place(seconds: number): void {
    const line = this.#lines.all[this.#lines.indexAt(seconds)];
    if (line !== undefined) this.#setCurrent(this.#rows.get(line) ?? null);
  }

  #show(): void {
    this.#frame = null;
    const due = this.#due;
    this.#due = null;
    if (due === null) return;
    const cues = this.#host.cues();
    const splice = this.#lines.update(cues, due.from, due.to, FRAME_CUES);
    this.#apply(splice);
    if (splice.rest !== null) {
      this.#due = { from: splice.rest, to: Math.max(due.to, splice.rest) };
      this.#frame = requestAnimationFrame(() => this.#show());
    }
    if (this.#hasNewChapters) this.#chapters.render(cues);
    this.#hasNewChapters = false;
    this.#mark();
    this.#render(this.#follower.isFollowing);
  }

  #apply({ index, removed, added }: Splice): void {
    // Rows of lines that begin with the same cue stay: one may have the focus.
    const old = new Map<string, Row>();
    const next = this.#list.children[index + removed.length] ?? null;
    for (const line of removed) {
      const [row, identity] = [this.#rows.get(line)!, identityOf(line.first)];
      this.#rows.delete(line);
      for (const cue of row.words) this.#wordOf.delete(cue);
      // Between two frames, a line may be there as it was and as it is.
      if (old.has(identity)) this.#drop(row);
      else old.set(identity, row);
    }
    const kept = new Set<Row>();
    const rows = added.map((line) => {
      const row = old.get(identityOf(line.first));
      if (row === undefined || kept.has(row)) return this.#rowFor(line, newRow());
      kept.add(row);
      return this.#rowFor(line, row);
    });
    for (const row of old.values()) if (!kept.has(row)) this.#drop(row);
    let at = this.#list.children[index] ?? null;
    for (const { item } of rows) {
      if (item === at) at = at.nextElementSibling;
      else this.#list.insertBefore(item, at === null ? next : at);
    }
    this.#setTabStop(this.#tabStop ?? this.#list.querySelector<HTMLElement>(".line"));
  }

  #rowFor(line: Line, row: Row): Row {
    this.#rows.set(line, row);
    this.#rowOf.set(row.line, row);
    this.#secondsOf.set(row.line, line.first.start);
    row.words = [];
    const parts = line.parts.map(({ text, cue }) => {
      if (cue === null) return text;
      const word = element("span", "", { part: "word", class: "word" }, text);
      this.#wordOf.set(cue, word);
      this.#secondsOf.set(word, cue.start);
      row.words.push(cue);
      return word;
    });
    row.line.replaceChildren(...parts);
    return row;
  }

  #drop(row: Row): void {
    const hadFocus = this.#isFocused(row.line);
    if (this.#current === row) this.#current = null;
    if (this.#tabStop === row.line) this.#tabStop = null;
    const neighbour = row.item.nextElementSibling ?? row.item.previousElementSibling;
    row.item.remove();
    if (hadFocus) neighbour?.querySelector<HTMLElement>(".line")?.focus({ preventScroll: true });
  }

  /** Marks what is heard. */
  #mark(): void {
    const lit = new Set<HTMLElement>();
    let current: Row | null = null;
    for (const cue of this.#active) {
      const word = this.#wordOf.get(cue);
      if (word === undefined) continue;
      lit.add(word);
      current = this.#rowOf.get(word.parentElement!) ?? current;
    }
    for (const word of this.#lit) if (!lit.has(word)) light(word, false);
    for (const word of lit) light(word, true);
    this.#lit = lit;
    this.#chapters.mark(this.#active);
    current ??= this.#rowOfSentence();
    // Between two lines, the one before stays marked.
    if (current !== null) this.#setCurrent(current);
    const [word] = lit;
    if (word !== undefined) this.#follower.follow(word);
  }

  #rowOfSentence(): Row | null {
    for (const cue of this.#active) {
      const line = this.#lines.all[this.#lines.indexAt(cue.start)];
      if (line?.first === cue) return this.#rows.get(line) ?? null;
    }
    return null;
  }

  #setCurrent(row: Row | null): void {
    if (row === null || row === this.#current) return;
    for (const [one, isCurrent] of [[this.#current, false], [row, true]] as const) {
      one?.line.part.toggle("active-line", isCurrent);
      if (isCurrent) one?.line.setAttribute("aria-current", "true");
      else one?.line.removeAttribute("aria-current");
    }
    this.#current = row;
    if (this.#tabStop === null || !this.#isFocused(this.#tabStop)) this.#setTabStop(row.line);
    this.#follower.follow(row.line);
  }

  /** Only one line is reached by the Tab key; from it, the arrow keys reach the others. */
  #setTabStop(line: HTMLElement | null): void {
    if (this.#tabStop !== null) this.#tabStop.tabIndex = -1;
    this.#tabStop = line;
    if (line !== null) line.tabIndex = 0;
  }

  #isFocused(line: HTMLElement): boolean {
    return (line.getRootNode() as ShadowRoot).activeElement === line;
  }

  #clicked(event: MouseEvent): void {
    if (event.detail > 0 && this.#hasSelection) return; // Text was selected, to copy it.
    const [target] = event.composedPath();
    const chosen = target instanceof Element ? target.closest(".word, .line") : null;
    const seconds = chosen === null ? undefined : this.#secondsOf.get(chosen);
    if (seconds !== undefined) this.#choose(seconds);
  }

  get #hasSelection(): boolean {
    // Only some browsers tell what is selected in a shadow tree there.
    const root = this.#list.getRootNode() as ShadowRoot & { getSelection?: () => Selection | null };
    const selection = root.getSelection?.() ?? getSelection();
    return selection?.type === "Range";
  }

  #pressed(event: KeyboardEvent): void {
    const line = event.target;
    if (!(line instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = line.parentElement;
    if (event.key === "Enter" || event.key === " ") this.#choose(this.#secondsOf.get(line) ?? 0);
    else if (event.key === "ArrowDown") this.#focus(item?.nextElementSibling);
    else if (event.key === "ArrowUp") this.#focus(item?.previousElementSibling);
    else return;
    event.preventDefault();
  }

  #focus(item: Element | null | undefined): void {
    const line = item?.querySelector<HTMLElement>(".line") ?? null;
    if (line === null) return;
    this.#setTabStop(line);
    line.focus();
  }

  #choose(seconds: number): void {
    this.#follower.start();
    this.#host.seek(seconds);
  }

  #followAgain(): void {
    this.#follower.start();
    const [word] = this.#lit;
    const there = word ?? this.#current?.line;
    if (there !== undefined) this.#follower.follow(there);
  }

  #render(isFollowing: boolean): void {
    const isEmpty = this.#lines.all.length === 0;
    this.element.hidden = isEmpty && this.#chapters.isEmpty;
    this.#list.hidden = isEmpty;
    const hadFocus = this.#follow.getRootNode() instanceof ShadowRoot && this.#isFocused(this.#follow);
    this.#follow.hidden = isEmpty || isFollowing;
    if (hadFocus && this.#follow.hidden) this.#tabStop?.focus({ preventScroll: true });
  }
}

function newRow(): Row {
  const line = element("div", "", { part: "line", class: "line", role: "button", tabindex: "-1", dir: "auto" });
  return { item: element("li", "", {}, line), line, words: [] };
}

/** Returns what a line keeps when its cue is replaced. */
function identityOf({ id, start, kind, text }: Cue): string {
  return id === undefined ? JSON.stringify([start, kind, text]) : `#${id}`;
}

function light(word: HTMLElement, isActive: boolean): void {
  word.classList.toggle("active", isActive);
  word.part.toggle("active-word", isActive);
}
