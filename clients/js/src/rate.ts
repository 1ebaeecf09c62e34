/** Shortest audio that a rate is computed from, in seconds. */
const MIN_SECONDS = 0.5;

/** The current rate is that of the last SPAN_SECONDS of audio. */
const SPAN_SECONDS = 30;

interface Sample {
  bytes: number;
  seconds: number;
}

/**
 * Relates byte offsets to seconds of audio, measured from the decoder's output.
 *
 * Bytes before the first decoded audio (tags, pictures) count only until there is a better measurement.
 */
export class RateMeter {
  #origin: Sample | null = null;
  #first: Sample | null = null;
  #recent: Sample[] = [];
  #knownRate: number | null = null;
  #longest: { seconds: number; rate: number } | null = null;

  /** The audio before offset `bytes` was decoded, and ends at `seconds`. */
  observe(bytes: number, seconds: number): void {
    const last = this.#recent.at(-1);
    if (last !== undefined && seconds <= last.seconds) {
      // Bytes that completed no audio, such as the first ones of a frame.
      return;
    }
    this.#first ??= { bytes, seconds };
    this.#recent.push({ bytes, seconds });
    while (this.#recent.length > 2 && seconds - this.#recent[1]!.seconds > SPAN_SECONDS) this.#recent.shift();
    this.#knownRate = rateBetween(this.#recent[0]!, this.#recent.at(-1)!) ?? this.#knownRate;
    const measured = seconds - this.#first.seconds;
    const rate = rateBetween(this.#first, { bytes, seconds });
    if (rate !== null && measured >= (this.#longest?.seconds ?? 0)) this.#longest = { seconds: measured, rate };
  }

  /** Decoding starts at offset `bytes`, at `seconds`: a first, rough measurement. */
  begin(bytes: number, seconds: number): void {
    this.#origin ??= { bytes, seconds };
  }

  /** Restarts the measurement at another offset of the stream; the rate stays known. */
  restart(): void {
    this.#origin = null;
    this.#first = null;
    this.#recent = [];
  }

  /** Current byte rate; null while it is unknown. */
  get bytesPerSecond(): number | null {
    return this.#knownRate ?? this.#roughRate();
  }

  /** Seconds of audio that the mean rate was measured over. */
  get measuredSeconds(): number {
    return this.#longest?.seconds ?? 0;
  }

  /** Returns the estimated offset of `seconds`; null while the rate is unknown. */
  byteAt(seconds: number): number | null {
    const [anchor, rate] = [this.#recent.at(-1), this.#meanRate()];
    if (anchor === undefined || rate === null) return null;
    return Math.max(0, Math.round(anchor.bytes + (seconds - anchor.seconds) * rate));
  }

  /** Returns the estimated time of offset `bytes`, in seconds; null while the rate is unknown. */
  secondsAt(bytes: number): number | null {
    const [anchor, rate] = [this.#recent.at(-1), this.#meanRate()];
    if (anchor === undefined || rate === null) return null;
    return Math.max(0, anchor.seconds + (bytes - anchor.bytes) / rate);
  }

  /** Mean rate of the longest uninterrupted measurement. */
  #meanRate(): number | null {
    return this.#longest?.rate ?? this.bytesPerSecond;
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
