import { joined } from "../bytes.js";
import { clientError, type AsfError } from "../errors.js";
import type { RelatingTransform, Segment } from "../wrapping/transform.js";
import { FlacEncoder, MAX_BLOCK_SAMPLES } from "./flac.js";
import { initSegment, mediaSegment, type FlacFrame } from "./mp4.js";
import { WavStream, type PcmBlock, type PcmFormat, type WavStreamFault } from "./stream.js";

/** A block has at most so many seconds: that much audio waits for its block to be complete. */
const BLOCK_SECONDS = 0.05;

const MIN_BLOCK_SAMPLES = 16;

/**
 * Turns a WAV stream into FLAC in fragmented MP4, without loss up to 24 bits, for a SourceBuffer of the type
 * {@link FLAC_IN_MP4}. Reads WAV as {@link WavStream} does; timestamps are exact.
 */
export class WavToFlac implements RelatingTransform {
  readonly timed = true;
  readonly exact = true;
  readonly #stream = new WavStream();
  #encoder: FlacEncoder | null = null;
  /** The samples that do not fill a block yet. */
  #block: Int32Array[] = [];
  #filled = 0;
  /** Number of the first sample in the block. */
  #at = 0;
  /** Offset after the last byte taken. */
  #offset = 0;
  /** The next segment starts with the initialization segment. */
  #isFirst = true;

  /** The format of the decoded audio; null before the first header was read. */
  get format(): PcmFormat | null {
    return this.#stream.format;
  }

  /** Duration of the audio in seconds; null while the size of the stream is unknown. */
  get totalSeconds(): number | null {
    return this.#stream.totalSeconds;
  }

  /** Bytes of WAV in a second; null before the first header was read. */
  get bytesPerSecond(): number | null {
    return this.#stream.bytesPerSecond;
  }

  /**
   * Takes the bytes that follow the last ones, from byte 0 on.
   *
   * @returns the segments that they complete: none or one.
   * @throws AsfError `ASF_CLIENT_DECODE_FAILED`, after all segments before the fault were returned.
   */
  push(bytes: Uint8Array): Segment[] {
    if (this.#stream.fault !== null) throw faultError(this.#stream.fault);
    this.#offset += bytes.length;
    return this.#segment(this.#frames(this.#stream.push(bytes)), false);
  }

  /** Returns what remains: no more bytes follow, unless after `restart`. Throws as `push` does. */
  flush(): Segment[] {
    if (this.#stream.fault !== null) throw faultError(this.#stream.fault);
    const frames = this.#frames(this.#stream.end());
    if (this.#filled > 0) frames.push(this.#encode());
    if (frames.length > 0 || !this.#isFirst || this.format === null) return this.#segment(frames, true);
    return [{ bytes: this.#initSegment(), end: this.#offset }]; // Audio without samples ends too.
  }

  /**
   * The next byte is at `offset`: in what was pushed so far, or behind it once the first header was pushed. Where that
   * is no sample's first byte, the next sample comes first.
   *
   * @returns the time of the first sample in the next segment, in seconds.
   */
  restart(offset: number): number {
    const seconds = this.#stream.restart(offset);
    this.#filled = 0;
    this.#at = this.#stream.position;
    this.#offset = offset;
    this.#isFirst = true;
    return seconds;
  }

  /** Sets the size of the WAV stream. */
  setTotal(bytes: number): void {
    this.#stream.setTotal(bytes);
  }

  /** Returns the offset to restart at in order to play from `seconds`; null before the first header was read. */
  byteAt(seconds: number): number | null {
    return this.#stream.byteAt(seconds);
  }

  /** Returns the time of the first sample at or after `offset`; null before the first header was read. */
  secondsAt(offset: number): number | null {
    return this.#stream.secondsAt(offset);
  }

  #frames(blocks: PcmBlock[]): FlacFrame[] {
    const frames: FlacFrame[] = [];
    for (const { channels } of blocks) {
      const length = channels[0]!.length;
      for (let from = 0; from < length; ) {
        this.#prepare();
        const room = this.#block[0]!.length - this.#filled;
        const to = Math.min(length, from + room);
        this.#block.forEach((block, channel) => block.set(channels[channel]!.subarray(from, to), this.#filled));
        this.#filled += to - from;
        if (to - from === room) frames.push(this.#encode());
        from = to;
      }
    }
    return frames;
  }

  #prepare(): FlacEncoder {
    if (this.#encoder !== null) return this.#encoder;
    const { sampleRate, channels, bits } = this.#stream.format!;
    const samples = 2 ** Math.floor(Math.log2(sampleRate * BLOCK_SECONDS));
    const length = Math.max(MIN_BLOCK_SAMPLES, Math.min(MAX_BLOCK_SAMPLES, samples));
    this.#block = Array.from({ length: channels }, () => new Int32Array(length));
    return (this.#encoder = new FlacEncoder({ sampleRate, channels, bits }));
  }

  #encode(): FlacFrame {
    const samples = this.#filled;
    const bytes = this.#encoder!.encode(this.#block.map((block) => block.subarray(0, samples)), this.#at);
    this.#at += samples;
    this.#filled = 0;
    return { bytes, samples };
  }

  #segment(frames: FlacFrame[], isLast: boolean): Segment[] {
    if (frames.length === 0) return [];
    const samples = frames.reduce((sum, frame) => sum + frame.samples, 0);
    const media = mediaSegment(frames, this.#at - samples);
    const bytes = this.#isFirst ? joined(this.#initSegment(), media) : media;
    const end = isLast ? this.#offset : this.#stream.byteAt(this.#at / this.#stream.format!.sampleRate)!;
    return [{ bytes, end }];
  }

  #initSegment(): Uint8Array<ArrayBuffer> {
    this.#isFirst = false;
    return initSegment(this.#stream.format!, this.#prepare().streamInfo);
  }
}

/** Returns the error of a stream that cannot be played on. */
export function faultError(fault: WavStreamFault): AsfError {
  return clientError("ASF_CLIENT_DECODE_FAILED", FAULTS[fault]);
}

const FAULTS: Readonly<Record<WavStreamFault, string>> = {
  "not-wav": "The audio is no WAV file.",
  unsupported: "The WAV file has samples that cannot be decoded: PCM, A-law and mu-law can, in 1 to 8 channels.",
  "rate-changed": "The audio continues with a WAV file whose sample rate is too far from that of the first one.",
};
