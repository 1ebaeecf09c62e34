/** How far ahead of the playhead audio is fetched, in seconds. */
export const TARGET_SECONDS = 30;

/**
 * The first window, in bytes, when nothing is known of the audio yet: under a minute of the slowest MP3 (8 kbit/s), and
 * enough for CD quality over a round trip of a quarter of a second.
 */
export const FIRST_WINDOW_BYTES = 48 * 1024;

/** A window that is less than so many seconds of audio is widened, to so many. */
const NARROW_SECONDS = 1;
const WIDE_SECONDS = 4;

/** The steps in which credit is granted: a part of the window, or so many seconds of audio where that is less. */
const STEPS_PER_WINDOW = 8;
const STEP_SECONDS = 2;

/** How far fetching and playing have come. */
export interface Standing {
  /** The stream's byte behind the last one that arrived. */
  received: number;
  /** The stream's byte behind the last one that the decoder took; what lies between waits in memory. */
  consumed: number;
  /** Seconds of decoded audio ahead of the playhead. */
  aheadSeconds: number;
  /** Bytes of a second of the audio; null while nothing is known. */
  bytesPerSecond: number | null;
}

/**
 * Grants credit by the playhead.
 *
 * The server sends no more than `window` bytes beyond what is acknowledged. Acknowledging later than receiving
 * therefore sets how far the server goes: to about {@link TARGET_SECONDS} ahead of the playhead.
 */
export class Credit {
  #acknowledged = 0;
  readonly window: number;
  readonly targetSeconds: number;

  constructor(window: number = FIRST_WINDOW_BYTES, targetSeconds: number = TARGET_SECONDS) {
    this.window = window;
    this.targetSeconds = targetSeconds;
  }

  /** Counts from byte `offset` on, as the server does after a start of the stream. */
  restart(offset: number): void {
    this.#acknowledged = offset;
  }

  /** Returns the stream's byte to acknowledge now; null when nothing is to be said. */
  next(standing: Standing): number | null {
    const { received, consumed, aheadSeconds, bytesPerSecond } = standing;
    const wanted =
      bytesPerSecond === null
        ? this.window
        : Math.max(0, this.targetSeconds - aheadSeconds) * bytesPerSecond;
    const acknowledged = Math.min(received, Math.floor(consumed + wanted - this.window));
    const step = Math.min(this.window / STEPS_PER_WINDOW, (bytesPerSecond ?? Infinity) * STEP_SECONDS);
    if (acknowledged <= this.#acknowledged || acknowledged - this.#acknowledged < step) return null;
    this.#acknowledged = acknowledged;
    return acknowledged;
  }
}

/** Returns the window that audio of that rate should have instead of `window`, in bytes; null when that will do. */
export function widerWindow(window: number, bytesPerSecond: number | null): number | null {
  if (bytesPerSecond === null || window >= bytesPerSecond * NARROW_SECONDS) return null;
  return Math.ceil(bytesPerSecond * WIDE_SECONDS);
}
