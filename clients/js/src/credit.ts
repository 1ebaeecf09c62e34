/** Seconds of audio to buffer ahead of the playhead. */
export const TARGET_SECONDS = 30;

/**
 * The first window, in bytes, while the byte rate is unknown: less than a minute of the slowest MP3 (8 kbit/s), and
 * enough for CD quality over a round trip of 250 ms.
 */
export const FIRST_WINDOW_BYTES = 48 * 1024;

/** A window shorter than NARROW_SECONDS of audio is widened to WIDE_SECONDS. */
const NARROW_SECONDS = 1;
const WIDE_SECONDS = 4;

/** Smallest acknowledgement: a fraction of the window, or STEP_SECONDS of audio if that is less. */
const STEPS_PER_WINDOW = 8;
const STEP_SECONDS = 2;

/** Progress of receiving and playing. */
export interface Standing {
  /** Offset after the last byte received. */
  received: number;
  /** Offset after the last byte decoded; what lies between is in memory. */
  consumed: number;
  /** Seconds of decoded audio ahead of the playhead. */
  aheadSeconds: number;
  /** Byte rate of the audio; null while it is unknown. */
  bytesPerSecond: number | null;
}

/**
 * Flow control by the playhead.
 *
 * The server sends at most `window` bytes beyond the last acknowledgement. Acknowledging later than receiving therefore
 * limits it to about {@link TARGET_SECONDS} ahead of the playhead.
 */
export class Credit {
  #acknowledged = 0;
  readonly window: number;
  readonly targetSeconds: number;

  constructor(window: number = FIRST_WINDOW_BYTES, targetSeconds: number = TARGET_SECONDS) {
    this.window = window;
    this.targetSeconds = targetSeconds;
  }

  /** The server may send bytes before this offset. */
  get limit(): number {
    return this.#acknowledged + this.window;
  }

  /** Counts from byte `offset`, as the server does after `start_of_stream`. */
  restart(offset: number): void {
    this.#acknowledged = offset;
  }

  /** The server rejected an acknowledgement, which crossed with a join or a seek: it is given again. */
  rejected(): void {
    this.#acknowledged = 0;
  }

  /** Returns the offset to acknowledge now; null for none. */
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

/** Returns a wider window for audio of that byte rate, in bytes; null if `window` is wide enough. */
export function widerWindow(window: number, bytesPerSecond: number | null): number | null {
  if (bytesPerSecond === null || window >= bytesPerSecond * NARROW_SECONDS) return null;
  return Math.ceil(bytesPerSecond * WIDE_SECONDS);
}
