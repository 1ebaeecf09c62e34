/** Position that a playhead may be ahead of what the clock and the rate say, in seconds, without having been moved. */
const SLACK_SECONDS = 0.15;

/** How much a player whose position has stood still may catch up then, in seconds: while a page is busy, it may be old. */
const CATCH_UP_SECONDS = 1;

/** Shortest delay, in milliseconds: players report their position in steps. */
const LEAST_MS = 8;

/** Longest delay, in milliseconds: what is not reported, such as a stall, is noticed then. */
const MOST_MS = 1000;

/** Interval at which it is checked whether a playhead that stands has begun to move, in milliseconds, and for how long. */
const START_MS = 20;
const START_PATIENCE_MS = 2000;

/** What is known of a playhead now. */
export interface Playhead {
  /** In seconds. */
  position: number;
  /** How fast it moves while it does: 1 is normal. */
  rate: number;
  /** Audio is being played, as far as the player says. */
  isPlaying: boolean;
}

/** What a playhead has done since it was seen last. */
export type Movement =
  /** Everything up to the position was heard. */
  | "heard"
  /** It was moved to the position, where nothing was heard yet. */
  | "moved"
  /** After that, the position is heard. */
  | "landed"
  /** Nothing. */
  | "none";

/**
 * Tells from what is seen of a playhead whether it has played or was moved, and when to look at it again.
 *
 * Pure: all times are given, in milliseconds.
 */
export class CueClock {
  #seen: (Playhead & { at: number }) | null = null;
  #isSilent = true;
  /** Since when it is to play, and stands; null while it does not. */
  #startingAt: number | null = null;
  #wasMoved = false;
  /** For how long the position of a player that plays has stood still, in seconds of its audio. */
  #behind = 0;

  /** The playhead was moved, however little: what is seen next is not a movement by playing. */
  jumped(): void {
    this.#wasMoved = true;
  }

  /** Takes what is seen at the time `now`. */
  see(playhead: Playhead, now: number): Movement {
    const seen = this.#seen ?? { ...playhead, at: now };
    const wasMoved = this.#wasMoved || this.#isJump(seen, playhead, now);
    const hasMoved = playhead.position !== seen.position;
    this.#seen = { ...playhead, at: now };
    this.#wasMoved = false;
    if (!playhead.isPlaying) this.#startingAt = null;
    if (wasMoved) {
      this.#isSilent = true;
      this.#startingAt = playhead.isPlaying ? now : null;
      return "moved";
    }
    if (!this.#isSilent) return hasMoved ? "heard" : "none";
    // A player may say that it plays some time before the first sound.
    if (!hasMoved || !(playhead.isPlaying || seen.isPlaying)) {
      if (playhead.isPlaying) this.#startingAt ??= now;
      return "none";
    }
    this.#isSilent = false;
    this.#startingAt = null;
    return "landed";
  }

  /** Returns after how many milliseconds to look again; null: not before something happens. `next` is a position. */
  delay(next: number, now: number): number | null {
    const seen = this.#seen;
    if (seen === null || !seen.isPlaying || !(seen.rate > 0)) return null;
    if (this.#startingAt !== null) return now - this.#startingAt < START_PATIENCE_MS ? START_MS : null;
    if (next === Infinity) return null;
    const due = ((next - seen.position) / seen.rate) * 1000;
    return Math.min(MOST_MS, Math.max(LEAST_MS, Math.ceil(due)));
  }

  #isJump(seen: Playhead & { at: number }, { position, rate, isPlaying }: Playhead, now: number): boolean {
    const fastest = Math.max(rate, seen.rate, 0);
    const seconds = isPlaying || seen.isPlaying ? (now - seen.at) / 1000 : 0;
    const most = this.#behind + seconds * fastest + SLACK_SECONDS * Math.max(1, fastest);
    const stands = isPlaying && seen.isPlaying && position === seen.position;
    this.#behind = stands ? Math.min(this.#behind + seconds * rate, CATCH_UP_SECONDS) : 0;
    return position < seen.position || position > seen.position + most;
  }
}
