/** Nothing is told of the rate before so many seconds of audio are known. */
const LEAST_SECONDS = 0.5;

/** The rate is that of the last so many seconds of audio. */
const SPAN_SECONDS = 30;

interface Sample {
  bytes: number;
  seconds: number;
}

/**
 * How bytes and seconds of a stream go together, learnt from what a decoder made of it.
 *
 * What lies before the first decoded audio (tags, pictures) counts only until there is something better.
 */
export class RateMeter {
  #origin: Sample | null = null;
  #first: Sample | null = null;
  #recent: Sample[] = [];
  #knownRate: number | null = null;
  #longest: { seconds: number; rate: number } | null = null;

  /** Everything before byte `bytes` of the stream was decoded, and reaches to `seconds`. */
  observe(bytes: number, seconds: number): void {
    const last = this.#recent.at(-1);
    if (last !== undefined && seconds <= last.seconds) {
      // Bytes without audio of their own, such as the first ones of a frame.
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

  /** What is decoded next is appended from byte `bytes` on, and begins at `seconds`: a first, rough measure. */
  begin(bytes: number, seconds: number): void {
    this.#origin ??= { bytes, seconds };
  }

  /** Begins to measure anew, somewhere else in the stream; what is known of the rate stays. */
  restart(): void {
    this.#origin = null;
    this.#first = null;
    this.#recent = [];
  }

  /** Bytes of a second of audio, lately; null while nothing is known. */
  get bytesPerSecond(): number | null {
    return this.#knownRate ?? this.#roughRate();
  }

  /** How many seconds of audio the mean rate was learnt from. */
  get measuredSeconds(): number {
    return this.#longest?.seconds ?? 0;
  }

  /** Returns about which byte of the stream `seconds` lies at; null while nothing is known. */
  byteAt(seconds: number): number | null {
    const [anchor, rate] = [this.#recent.at(-1), this.#meanRate()];
    if (anchor === undefined || rate === null) return null;
    return Math.max(0, Math.round(anchor.bytes + (seconds - anchor.seconds) * rate));
  }

  /** Returns about which second byte `bytes` lies at; null while nothing is known. */
  secondsAt(bytes: number): number | null {
    const [anchor, rate] = [this.#recent.at(-1), this.#meanRate()];
    if (anchor === undefined || rate === null) return null;
    return Math.max(0, anchor.seconds + (bytes - anchor.bytes) / rate);
  }

  /** The mean rate of the longest part that was measured in one go. */
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
  return seconds < LEAST_SECONDS ? null : (to.bytes - from.bytes) / seconds;
}
