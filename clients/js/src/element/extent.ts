import type { Progress } from "../playback.js";

/** A listener with more than this many seconds ahead may not have been sent all that exists. */
const SENT_ALL_SECONDS = 20;

/**
 * How far audio reaches that is being generated, in seconds.
 *
 * A listener is sent about 30 s ahead. What exists beyond that is estimated from the number of bytes and the byte rate so
 * far.
 */
export class Extent {
  #seconds = 0;
  #bytes = 0;
  /** End of what was received, in bytes and in seconds. */
  #received = { bytes: 0, seconds: 0 };
  #ahead = 0;

  /** End of the audio that is known to exist. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Whether there may be more than is known. */
  get isOpen(): boolean {
    return this.#ahead > SENT_ALL_SECONDS;
  }

  /** Takes a playback's progress. */
  progress({ currentTime, aheadSeconds, offset }: Pick<Progress, "currentTime" | "aheadSeconds" | "offset">): void {
    const seconds = currentTime + aheadSeconds;
    this.#ahead = aheadSeconds;
    if (aheadSeconds > 0 && offset > 0) this.#received = { bytes: offset, seconds };
    this.#seconds = Math.max(this.#seconds, seconds);
  }

  /** Takes the size of the audio that exists. Has no effect before any audio was received. */
  measured(bytes: number): void {
    if (this.#received.bytes === 0 || bytes < this.#bytes) return;
    this.#bytes = bytes;
    this.#seconds = Math.max(this.#seconds, (bytes * this.#received.seconds) / this.#received.bytes);
  }
}
