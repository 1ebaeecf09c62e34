import type { WavEvent, WavFault } from "./events.js";
import type { WavFormat } from "./format.js";
import { WavParser } from "./parser.js";
import { Resampler } from "./resampler.js";
import { bitsOf, decodeFrames, type SampleBits } from "./samples.js";
import { WavTimeline } from "./timeline.js";

/** The one format that a {@link WavStream} decodes to: that of the first file in the stream. */
export interface PcmFormat {
  sampleRate: number;
  channels: number;
  bits: SampleBits;
}

/** Decoded audio. */
export interface PcmBlock {
  /** Number of the first sample, counted from the start of the audio. */
  at: number;
  /** The samples of each channel, -2^(bits-1) to 2^(bits-1)-1. Channels may share one array. */
  channels: Int32Array[];
}

/** Why a stream cannot be played on; `"rate-changed"`: a later file has a sample rate that is too far from the first one. */
export type WavStreamFault = WavFault | "rate-changed";

/** Largest ratio of a file's sample rate to that of the first one, or the other way round: telephony to studio. */
const MAX_RATE_RATIO = 32;

/** Decodes a WAV stream: bytes in pieces of any length become samples in one format, numbered from its start. */
export class WavStream {
  readonly #parser = new WavParser();
  readonly #timeline = new WavTimeline();
  #input: WavFormat | null = null;
  #format: PcmFormat | null = null;
  #fault: WavStreamFault | null = null;
  /** Converts the file that is decoded; null where its rate is that of the format. */
  #resampler: Resampler | null = null;
  /** Number of the next sample. */
  #position = 0;

  /** The format of all blocks; null before the first header was read. */
  get format(): PcmFormat | null {
    return this.#format;
  }

  /** Why no samples follow, unless after `restart`; null while they may. */
  get fault(): WavStreamFault | null {
    return this.#fault;
  }

  /** Number of the next sample. */
  get position(): number {
    return this.#position;
  }

  /** Byte rate of the audio that was decoded last; null before the first header was read. */
  get bytesPerSecond(): number | null {
    return this.#input === null ? null : this.#input.sampleRate * this.#input.frameBytes;
  }

  /** Duration of the audio in seconds; null while the size of the stream is unknown. */
  get totalSeconds(): number | null {
    return this.#timeline.totalSeconds;
  }

  /** Offset of the first sample in the stream; null before the first header was read. */
  get firstSampleOffset(): number | null {
    return this.#timeline.runs[0]?.start ?? null;
  }

  /** Takes the bytes that follow the last ones, from byte 0 on. */
  push(bytes: Uint8Array): PcmBlock[] {
    return this.#decode(this.#parser.push(bytes));
  }

  /** No more bytes follow, unless after `restart`. Returns the last samples. */
  end(): PcmBlock[] {
    return [...this.#decode(this.#parser.end()), ...this.#flush()];
  }

  /** Sets the size of the stream. */
  setTotal(bytes: number): void {
    this.#parser.setTotal(bytes);
    this.#timeline.setTotal(bytes);
  }

  /** Returns the offset to fetch from in order to decode from `seconds`; null before the first header was read. */
  byteAt(seconds: number): number | null {
    return this.#timeline.byteAt(seconds);
  }

  /** Returns the time of the first sample at or after `offset`; null before the first header was read. */
  secondsAt(offset: number): number | null {
    return this.#timeline.secondsAt(offset);
  }

  /**
   * The next byte is at `offset`, in or behind what was read so far, or before all of it.
   *
   * @returns the time of the next sample.
   */
  restart(offset: number): number {
    const { runs } = this.#timeline;
    const before = this.#timeline.runAt(offset) ?? runs[0] ?? null;
    const isBehind = before !== null && before.end !== null && offset >= before.end;
    const run = (isBehind ? runs.find(({ start }) => start > offset) : null) ?? before;
    const seconds = run === null ? 0 : this.#timeline.secondsAt(Math.max(offset, run.start))!;
    this.#fault = null;
    this.#parser.restart(offset, run, isBehind && run === before);
    if (run !== null) this.#begin(run.format);
    this.#position = Math.round(seconds * (this.#format?.sampleRate ?? 0));
    return seconds;
  }

  #decode(events: WavEvent[]): PcmBlock[] {
    const blocks: PcmBlock[] = [];
    for (const event of events) {
      if (this.#fault !== null) break;
      switch (event.kind) {
        case "run":
          blocks.push(...this.#flush());
          this.#begin(event.run.format);
          this.#timeline.add(event.run, this.#format === null ? 0 : this.#position / this.#format.sampleRate);
          break;
        case "samples":
          blocks.push(...this.#block(event.bytes));
          break;
        case "end":
          this.#timeline.finish(event.offset);
          blocks.push(...this.#flush());
          break;
        case "failed":
          this.#fault = event.reason;
      }
    }
    return blocks;
  }

  #begin(input: WavFormat): void {
    this.#input = input;
    this.#resampler = null;
    this.#format ??= { sampleRate: input.sampleRate, channels: input.channels, bits: bitsOf(input) };
    const { sampleRate, channels, bits } = this.#format;
    const ratio = input.sampleRate / sampleRate;
    if (Math.max(ratio, 1 / ratio) > MAX_RATE_RATIO) this.#fault = "rate-changed";
    else if (ratio !== 1) this.#resampler = new Resampler(input.sampleRate, sampleRate, channels, bits);
  }

  #block(bytes: Uint8Array): PcmBlock[] {
    const { bits, channels } = this.#format!;
    const decoded = decodeFrames(this.#input!, bytes, bits, channels);
    return this.#numbered(this.#resampler?.push(decoded) ?? decoded);
  }

  /** Returns the samples that the conversion to another rate has held back. */
  #flush(): PcmBlock[] {
    const rest = this.#resampler?.flush();
    this.#resampler = null;
    return rest === undefined ? [] : this.#numbered(rest);
  }

  #numbered(channels: Int32Array[]): PcmBlock[] {
    const at = this.#position;
    this.#position += channels[0]!.length;
    return this.#position === at ? [] : [{ at, channels }];
  }
}
