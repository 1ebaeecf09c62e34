import { ascii, indexOf, joined } from "../bytes.js";
import { FRAME_HEADER_BYTES, frameHeader, id3Length, type FrameHeader } from "../timeline/frames.js";
import type { Frame, FrameReader } from "./frame.js";

/** Bytes of an ID3v2 tag that say how long it is. */
const TAG_BYTES = 10;

/** Mark of a frame that has no audio, but a description of the file (Xing, LAME), and that of Fraunhofer's encoders. */
const XING = ["Xing", "Info"].map(ascii);
const VBRI = ascii("VBRI");
const VBRI_AT = 36;

/** What mse-audio-wrapper reads of a frame's header. */
interface WrappableHeader {
  sampleRate: number;
  channels: number;
  /** Length of the ADTS header, which MP4 does not have. */
  length?: number;
  /** What MP4 has instead (ISO/IEC 14496-3, section 1.6.2.1). */
  audioSpecificConfig?: Uint8Array;
}

/** Reads MP3 and ADTS AAC. These frames carry no time: it is counted from the start, or from where it restarted. */
export class ElementaryReader implements FrameReader {
  readonly exact = false;
  readonly syncBytes = 0;
  readonly #format: FrameHeader["format"];
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset in the stream of the first of `#rest`. */
  #offset = 0;
  /** Bytes of a tag that are still to come. */
  #skipped = 0;
  /** Whether a frame ends where `#rest` starts. */
  #isInSync = false;
  #isFirst = true;
  #start = 0;
  #samples = 0;
  #sampleRate = 0;

  constructor(codec: "mpeg" | "aac") {
    this.#format = codec === "aac" ? "adts" : "mpeg";
  }

  read(bytes: Uint8Array<ArrayBuffer>): Frame[] {
    this.#rest = this.#rest.length === 0 ? bytes : joined(this.#rest, bytes);
    return this.#readAll(false);
  }

  finish(): Frame[] {
    const frames = this.#readAll(true);
    this.#drop(this.#rest.length);
    return frames;
  }

  restart(offset: number, seconds: number): void {
    this.#rest = new Uint8Array(0);
    this.#offset = offset;
    this.#skipped = 0;
    this.#isInSync = false;
    this.#isFirst = offset === 0;
    this.#start = seconds;
    this.#samples = 0;
  }

  #readAll(isEnd: boolean): Frame[] {
    const frames: Frame[] = [];
    while (this.#step(frames, isEnd));
    return frames;
  }

  /** Takes one thing from the bytes. Returns whether there was one. */
  #step(frames: Frame[], isEnd: boolean): boolean {
    const rest = this.#rest;
    if (this.#skipped > 0) return this.#skip();
    if (rest.length < TAG_BYTES && !isEnd) return false;
    this.#skipped = id3Length(rest, 0);
    if (this.#skipped > 0) return true;
    const header = this.#headerAt(0);
    if (header === null) return this.#synchronise();
    if (header.bytes > rest.length || (header.bytes + TAG_BYTES > rest.length && !isEnd)) return false;
    const next = this.#headerAt(header.bytes);
    // The last frame before something else is one if it follows another one.
    if (!this.#isInSync && next?.sampleRate !== header.sampleRate) return this.#synchronise();
    const data = rest.slice(0, header.bytes);
    this.#drop(header.bytes);
    this.#isInSync = true;
    if (!(this.#isFirst && this.#format === "mpeg" && describes(data, header))) frames.push(this.#frame(data, header));
    this.#isFirst = false;
    return true;
  }

  #skip(): boolean {
    const length = Math.min(this.#skipped, this.#rest.length);
    this.#skipped -= length;
    this.#drop(length);
    return length > 0;
  }

  /** Drops what precedes the next place where a frame or a tag may start. */
  #synchronise(): boolean {
    this.#isInSync = false;
    const places = [this.#rest.indexOf(0xff, 1), this.#rest.indexOf(0x49, 1)].filter((at) => at >= 0);
    this.#drop(places.length === 0 ? this.#rest.length : Math.min(...places));
    return this.#rest.length >= FRAME_HEADER_BYTES;
  }

  #headerAt(at: number): FrameHeader | null {
    const header = frameHeader(this.#rest, at);
    return header?.format === this.#format ? header : null;
  }

  #frame(data: Uint8Array, { samples, sampleRate }: FrameHeader): Frame {
    if (sampleRate !== this.#sampleRate) {
      this.#start += this.#samples / (this.#sampleRate || 1);
      this.#samples = 0;
      this.#sampleRate = sampleRate;
    }
    const time = this.#start + this.#samples / sampleRate;
    this.#samples += samples;
    const header = this.#format === "adts" ? adtsHeader(data, sampleRate) : mpegHeader(data, sampleRate);
    const settings = `${sampleRate}/${header.channels}/${header.audioSpecificConfig ?? ""}`;
    return { data, header, samples, sampleRate, time, end: this.#offset, settings };
  }

  #drop(length: number): void {
    this.#rest = this.#rest.subarray(length);
    this.#offset += length;
  }
}

function mpegHeader(frame: Uint8Array, sampleRate: number): WrappableHeader {
  return { sampleRate, channels: frame[3]! >> 6 === 3 ? 1 : 2 };
}

function adtsHeader(frame: Uint8Array, sampleRate: number): WrappableHeader {
  const [profile, rate] = [frame[2]! >> 6, (frame[2]! >> 2) & 15];
  const configuration = ((frame[2]! & 1) << 2) | (frame[3]! >> 6);
  return {
    sampleRate,
    channels: configuration === 7 ? 8 : configuration,
    length: (frame[1]! & 1) === 1 ? 7 : 9,
    audioSpecificConfig: Uint8Array.of(((profile + 1) << 3) | (rate >> 1), ((rate & 1) << 7) | (configuration << 3)),
  };
}

function describes(frame: Uint8Array, { xingAt }: FrameHeader): boolean {
  const isXing = XING.some((mark) => indexOf(frame.subarray(xingAt, xingAt + mark.length), mark) === 0);
  return isXing || indexOf(frame.subarray(VBRI_AT, VBRI_AT + VBRI.length), VBRI) === 0;
}
