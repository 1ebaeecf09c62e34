import type { Cue } from "./cue.js";
import type { Entry } from "./entries.js";
import type { CueList, ListChange } from "./list.js";

/** What the tracks are for browsers, by the kind of the cues. Others are metadata. */
const KINDS: Readonly<Record<string, TextTrackKind>> = { sentence: "captions", chapter: "chapters" };

/** Label of the cues without a kind, which are captions. */
const NO_KIND = "captions";

/** Maximum number of tracks of an element. Cues of further kinds are in none. */
const MAX_TRACKS = 16;

/** The end of cues without one, in browsers that do not know infinity: as the largest time of a cue. */
const LATEST_SECONDS = 1e8;

/** The tracks of each element, by kind: an element keeps its tracks for ever, so the next playback uses them, too. */
const tracksOf = new WeakMap<HTMLMediaElement, Map<string, TextTrack>>();

/** Shows the cues as native text tracks of an element, one of each kind, hidden unless the page shows them. */
export class TextTracks {
  readonly #audio: HTMLMediaElement;
  readonly #list: CueList;
  readonly #shown = new Map<Entry, { track: TextTrack; cue: VTTCue }>();
  readonly #used = new Set<TextTrack>();

  constructor(audio: HTMLMediaElement, list: CueList) {
    this.#audio = audio;
    this.#list = list;
  }

  /** The list has changed. */
  changed({ added, replaced, moved }: ListChange): void {
    for (const { before } of replaced) this.#remove(before);
    for (const entry of [...added, ...replaced.map(({ after }) => after)]) this.#add(entry);
    for (const entry of moved) {
      const shown = this.#shown.get(entry);
      if (shown !== undefined) setEnd(shown.cue, this.#list.endOf(entry));
    }
  }

  /** Removes all cues, and turns the tracks off. */
  close(): void {
    for (const { track, cue } of this.#shown.values()) track.removeCue(cue);
    for (const track of this.#used) track.mode = "disabled";
    this.#shown.clear();
    this.#used.clear();
  }

  #add(entry: Entry): void {
    const { cue, start } = entry;
    const track = this.#trackOf(cue.kind ?? NO_KIND);
    if (track === null) return;
    const shown = new VTTCue(start, start, textOf(cue, track.kind));
    setEnd(shown, this.#list.endOf(entry));
    if (cue.id !== undefined) shown.id = cue.id;
    track.addCue(shown);
    this.#shown.set(entry, { track, cue: shown });
  }

  #remove(entry: Entry): void {
    const shown = this.#shown.get(entry);
    shown?.track.removeCue(shown.cue);
    this.#shown.delete(entry);
  }

  #trackOf(kind: string): TextTrack | null {
    let tracks = tracksOf.get(this.#audio);
    if (tracks === undefined) tracksOf.set(this.#audio, (tracks = new Map<string, TextTrack>()));
    let track = tracks.get(kind);
    if (track === undefined) {
      if (tracks.size >= MAX_TRACKS) return null;
      const browserKind = kind === NO_KIND ? "captions" : Object.hasOwn(KINDS, kind) ? KINDS[kind]! : "metadata";
      track = this.#audio.addTextTrack(browserKind, kind);
      tracks.set(kind, track);
    }
    if (!this.#used.has(track)) track.mode = "hidden";
    this.#used.add(track);
    return track;
  }
}

/** Returns the text of a native cue: escaped where browsers read it as WebVTT, and the data as JSON where it has no text. */
function textOf({ text, data }: Cue, kind: TextTrackKind): string {
  if (kind === "metadata") return text ?? (data === undefined ? "" : JSON.stringify(data));
  return (text ?? "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function setEnd(cue: VTTCue, end: number): void {
  try {
    cue.endTime = end;
  } catch {
    cue.endTime = Math.min(end, LATEST_SECONDS);
  }
}
