import type { AsfError } from "../errors.js";

/** Errors of a stream whose audio, as far as it exists, can still be requested. */
const AUDIO_REMAINS: ReadonlySet<string> = new Set(["ASF_GENERATION_FAILED", "ASF_STREAM_STALLED"]);

/** Errors of a stream whose audio is gone: a request would bring other audio, or none. */
const AUDIO_IS_GONE: ReadonlySet<string> = new Set(["ASF_EPOCH_CHANGED", "ASF_STREAM_NOT_FOUND"]);

/** What is known of a stream whose audio the element fetches itself: from the session, and its duration from the element. */
export class StreamTruth {
  /** Size of the complete audio in bytes; null while it is unknown. */
  total: number | null;
  /** Duration that the element told last, in seconds; null while it is unknown. */
  duration: number | null = null;
  readonly #isExact: boolean;
  #error: AsfError | null = null;

  /** @param isExact whether the format tells its exact duration. */
  constructor(total: number | null, isExact: boolean) {
    this.total = total;
    this.#isExact = isExact;
  }

  /** The duration, if it is exact. */
  get exactDuration(): number | null {
    return this.#isExact ? this.duration : null;
  }

  /** Mean byte rate of complete audio; null while it is unknown. */
  get bytesPerSecond(): number | null {
    return this.total === null || this.duration === null || this.duration === 0 ? null : this.total / this.duration;
  }

  /** The session has failed. Once the audio is complete, that only matters if the audio is gone. */
  fail(error: AsfError): void {
    if (this.total === null || AUDIO_IS_GONE.has(error.code)) this.#error = error;
  }

  /** Whether the audio is complete, and can be requested as such. */
  get isFinal(): boolean {
    return this.total !== null && this.lost === null;
  }

  /** Why the audio ends early, though what there is can be requested; null if it does not. */
  get incomplete(): AsfError | null {
    return this.total === null && this.lost === null ? this.#error : null;
  }

  /** Why there is nothing to request; null if there is. */
  get lost(): AsfError | null {
    return this.#error === null || AUDIO_REMAINS.has(this.#error.code) ? null : this.#error;
  }
}
