import type { PlaybackState } from "../state.js";
import { ActiveCues } from "./active.js";
import { CueClock } from "./clock.js";
import type { Cue, CuesChange, CueTransition } from "./cue.js";
import { CueList, shown } from "./list.js";
import { TextTracks } from "./text_tracks.js";

/** What the cues of a playback report, and ask. */
export interface PlaybackCuesHost {
  /** The playhead, in seconds. */
  position(): number;
  changed(change: CuesChange): void;
  /** What is heard has entered or left a cue. */
  passed(transition: CueTransition): void;
}

/** The cues of one playback: those that have come, and those that are heard. */
export class PlaybackCues {
  readonly #list = new CueList();
  readonly #active = new ActiveCues(this.#list);
  readonly #clock = new CueClock();
  readonly #audio: HTMLAudioElement;
  readonly #host: PlaybackCuesHost;
  readonly #tracks: TextTracks | null;
  readonly #handlers = new AbortController();
  #isPlaying = false;
  /** What is to be reported: a listener may seek, which causes more. */
  readonly #unreported: CueTransition[] = [];
  #isReporting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param hasTracks whether the element gets them as text tracks, too. */
  constructor(audio: HTMLAudioElement, hasTracks: boolean, host: PlaybackCuesHost) {
    this.#audio = audio;
    this.#host = host;
    this.#tracks = hasTracks ? new TextTracks(audio, this.#list) : null;
    const { signal } = this.#handlers;
    audio.addEventListener("ratechange", () => this.#look(), { signal });
    audio.addEventListener("seeking", () => this.jumped(), { signal });
  }

  /** All that have come, in the order of their starts. */
  get all(): readonly Cue[] {
    return this.#list.cues;
  }

  /** Those that are heard, in the order of their starts. */
  get active(): readonly Cue[] {
    return this.#active.cues;
  }

  /** Takes what the server has sent. */
  take(sent: readonly unknown[]): void {
    const change = this.#list.take(sent);
    const detail = shown(change);
    if (detail === null) return;
    this.#tracks?.changed(change);
    const transitions = this.#active.changed(change);
    this.#host.changed(detail);
    this.#report(transitions);
    this.#look();
  }

  /** The state may have changed, or the playhead moved. */
  update(state: PlaybackState): void {
    const isOver = state === "ended" || state === "failed";
    this.#isPlaying = state === "playing";
    this.#look();
    if (isOver) this.#report(this.#active.clear());
  }

  /** The playhead was moved. */
  jumped(): void {
    if (this.#handlers.signal.aborted) return;
    this.#clock.jumped();
    this.#look();
  }

  /** The playback is over for good: all cues exit. */
  close(): void {
    if (this.#handlers.signal.aborted) return;
    this.#handlers.abort();
    clearTimeout(this.#timer);
    this.#report(this.#active.clear());
    this.#tracks?.close();
  }

  /** Looks where the playhead is. */
  #look(): void {
    if (this.#handlers.signal.aborted) return;
    const now = performance.now();
    const { playbackRate: rate, seeking } = this.#audio;
    const playhead = { position: this.#host.position(), rate, isPlaying: this.#isPlaying && !seeking };
    const movement = this.#clock.see(playhead, now);
    if (movement === "heard") this.#report(this.#active.advance(playhead.position));
    if (movement === "moved") this.#report(this.#active.leave(playhead.position));
    if (movement === "landed") this.#report(this.#active.land(playhead.position));
    this.#schedule(now);
  }

  #schedule(now: number): void {
    clearTimeout(this.#timer);
    const delay = this.#handlers.signal.aborted ? null : this.#clock.delay(this.#active.next, now);
    if (delay !== null) this.#timer = setTimeout(() => this.#look(), delay);
  }

  #report(transitions: readonly CueTransition[]): void {
    this.#unreported.push(...transitions);
    if (this.#isReporting) return;
    this.#isReporting = true;
    for (let next = this.#unreported.shift(); next !== undefined; next = this.#unreported.shift()) this.#host.passed(next);
    this.#isReporting = false;
  }
}
