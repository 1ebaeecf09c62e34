import type { Sink } from "./sinks/sink.js";

/** A position to seek to: seconds of the audio, or bytes of the stream. */
export type SeekTarget = { seconds: number } | { bytes: number };

/** Where to fetch from for a seek. */
export interface Destination {
  offset: number;
  seconds: number;
  /** Whether that time was asked for, rather than the offset. */
  isTimeAsked: boolean;
}

/** The last seek, until it is known where in the audio that is: before anything was decoded, and after a seek to elsewhere. */
export class Seeks {
  #target: SeekTarget | null = null;

  /** The time of a seek that was not made yet; null for none, or where only its offset is known. */
  get seconds(): number | null {
    return this.#target !== null && "seconds" in this.#target ? this.#target.seconds : null;
  }

  /** Replaces an earlier seek that was not made yet. */
  want(target: SeekTarget): void {
    this.#target = target;
  }

  /** Starts elsewhere than at the beginning, unless a seek was wanted already. */
  begin(target: SeekTarget): void {
    this.#target ??= target;
  }

  /**
   * Makes the seek, if it is known where to. Returns where to fetch from; `"jumped"` if the sink has moved there; null if
   * there is nothing to do yet.
   *
   * @param takesBytes whether the sink starts at any offset, rather than at that of a whole sample.
   */
  make(sink: Sink, takesBytes: boolean): Destination | "jumped" | null {
    const target = this.#target;
    if (target === null) return null;
    const seconds = "seconds" in target ? target.seconds : sink.secondsAt(target.bytes);
    if (seconds === null) return null;
    this.#target = null;
    if (sink.jump(seconds)) return "jumped";
    const offset = "bytes" in target && takesBytes ? target.bytes : sink.byteAt(seconds);
    if (offset !== null) return { offset: Math.floor(offset), seconds, isTimeAsked: "seconds" in target };
    this.#target = target;
    return null;
  }
}
