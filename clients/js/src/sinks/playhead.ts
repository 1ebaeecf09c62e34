import { endPosition } from "./url_rules.js";

/** Where an element is, also when it has ended or failed: then what it says may be wrong. */
export class Playhead {
  readonly #audio: HTMLAudioElement;
  /** The last position that was reported, when, in milliseconds, and how fast the element played on. */
  #seen = 0;
  #seenAt = 0;
  #rate = 0;

  constructor(audio: HTMLAudioElement) {
    this.#audio = audio;
  }

  /** The current position, in seconds. */
  get position(): number {
    const { currentTime, ended, error } = this.#audio;
    // When it fails, Firefox plays on what it has, and WebKit goes to 0.
    if (error !== null) return Math.max(this.#seen, currentTime);
    return ended ? this.end : currentTime;
  }

  /** The last position that was reported, in seconds. */
  get seen(): number {
    return this.#seen;
  }

  /** Where the element has ended, in seconds. */
  get end(): number {
    const played = (this.#rate * (performance.now() - this.#seenAt)) / 1000;
    return endPosition(this.#audio.currentTime, this.#seen, played);
  }

  /** The element has another source, or seeks, and starts at `place`. */
  restart(place: number): void {
    [this.#seen, this.#rate] = [place, 0];
  }

  /** The element has reported its position. Returns the position; null if it does not play any more. */
  report(): number | null {
    const { currentTime, ended, error, paused, seeking, readyState, playbackRate } = this.#audio;
    if (ended || error !== null) return null;
    [this.#seen, this.#seenAt] = [currentTime, performance.now()];
    const isPlaying = !paused && !seeking && readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    this.#rate = isPlaying ? playbackRate : 0;
    return currentTime;
  }
}
