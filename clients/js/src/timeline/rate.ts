/** Shortest audio that a rate is computed from, in seconds. */
const MIN_SECONDS = 0.5;

/** The current rate is that of the last SPAN_SECONDS of audio. */
const SPAN_SECONDS = 30;

interface Sample {
  bytes: number;
  seconds: number;
}

/**
 * The current byte rate of the audio, measured from the decoder's output.
 *
 * Bytes before the first decoded audio (tags, pictures) count only until there is a better measurement.
 */
export class CurrentRate {
  #origin: Sample | null = null;
  #recent: Sample[] = [];
  #knownRate: number | null = null;

  /** Decoding starts at offset `bytes`, at `seconds`: a first, rough measurement. */
  begin(bytes: number, seconds: number): void {
    this.#origin ??= { bytes, seconds };
  }

  /** The audio before offset `bytes` was decoded, and ends at `seconds`. */
  observe(bytes: number, seconds: number): void {
    const last = this.#recent.at(-1);
    if (last !== undefined && seconds <= last.seconds) {
      // Bytes that completed no audio, such as the first ones of a frame.
      return;
    }
    this.#recent.push({ bytes, seconds });
    while (this.#recent.length > 2 && seconds - this.#recent[1]!.seconds > SPAN_SECONDS) this.#recent.shift();
    this.#knownRate = rateBetween(this.#recent[0]!, this.#recent.at(-1)!) ?? this.#knownRate;
  }

  /** Restarts the measurement at another offset of the stream; the rate stays known. */
  restart(): void {
    this.#origin = null;
    this.#recent = [];
  }

  /** In bytes per second; null while it is unknown. */
  get bytesPerSecond(): number | null {
    return this.#knownRate ?? this.#roughRate();
  }

  #roughRate(): number | null {
    const last = this.#recent.at(-1);
    return this.#origin === null || last === undefined ? null : rateBetween(this.#origin, last);
  }
}

function rateBetween(from: Sample, to: Sample): number | null {
  const seconds = to.seconds - from.seconds;
  return seconds < MIN_SECONDS ? null : (to.bytes - from.bytes) / seconds;
}
