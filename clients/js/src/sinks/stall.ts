import { rangeAt, type Range } from "./ranges.js";

/** How long the playhead stands still until it is stuck, in milliseconds. Each time it is twice as long as the last time. */
const PATIENCE_MS = 2000;
const MAX_PATIENCE_MS = 8000;

/** Buffered audio with which an element should be playing, in seconds. */
const ENOUGH_SECONDS = 0.1;

/** Playing for so many seconds is more than the step of a nudge. */
const PLAYED_SECONDS = 0.25;

/** `HTMLMediaElement.HAVE_FUTURE_DATA` */
const HAVE_FUTURE_DATA = 3;

/** How far the first nudge moves the playhead, in seconds. Each further one moves it twice as far. */
const NUDGE_SECONDS = 0.1;

/** What is looked at of an audio element. */
type Playing = Pick<HTMLMediaElement, "currentTime" | "paused" | "seeking" | "ended" | "readyState">;

/**
 * Finds that an element does not play although it could: WebKit forgets to, now and then, after a seek, and some of its seeks do not end. As hls.js does,
 * one nudges it then: moves the playhead a little, and further each time.
 */
export class StallDetector {
  #time = -1;
  #since = 0;
  #nudgedTo = -Infinity;
  #patience = PATIENCE_MS;
  #step = NUDGE_SECONDS;

  /** Returns where to move a playhead that has stood still for too long; null if it has not. @param now in milliseconds. */
  nudge(audio: Playing, ranges: Range[], now: number): number | null {
    const { currentTime, paused, seeking, ended, readyState } = audio;
    const range = rangeAt(ranges, currentTime);
    // A seek, too, must come to its end where there is audio.
    const isDue = seeking || (!paused && !ended && readyState >= HAVE_FUTURE_DATA);
    const canPlay = isDue && range !== undefined && range.end - currentTime > ENOUGH_SECONDS;
    if (!canPlay || currentTime !== this.#time) {
      this.#time = currentTime;
      this.#since = now;
      // A nudge is no playing.
      if (canPlay && currentTime > this.#nudgedTo + PLAYED_SECONDS) [this.#patience, this.#step] = [PATIENCE_MS, NUDGE_SECONDS];
      return null;
    }
    if (now - this.#since < this.#patience) return null;
    this.#since = now;
    const next = currentTime + this.#step;
    // So close to the end that nothing would play, it would stand still for good.
    this.#nudgedTo = next < range.end - ENOUGH_SECONDS ? next : range.end;
    this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE_MS);
    this.#step *= 2;
    return this.#nudgedTo;
  }
}
