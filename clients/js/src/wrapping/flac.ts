import { ascii, indexOf, joined } from "../bytes.js";
import type { Frame, FrameReader } from "./frame.js";
import { crc16, readFrameHeader, readStreamInfo, type FlacFrameHeader, type StreamInfo } from "./flac_header.js";
import { LinkTimes } from "./times.js";

const MARK = ascii("fLaC");
const BLOCK_HEADER_BYTES = 4;

/** Longest header of a frame (RFC 9639, section 9.1). */
const HEADER_BYTES = 16;

/** Shortest frame: a header of 6 bytes, a subframe of 2 and a checksum of 2. */
const MIN_FRAME_BYTES = 10;

/**
 * Reads FLAC (RFC 9639). A frame says its number, and ends where the header of the next one stands.
 */
export class FlacReader implements FrameReader {
  readonly exact = true;
  readonly #times = new LinkTimes();
  #info: StreamInfo | null = null;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset in the stream of the first of `#bytes`. */
  #offset = 0;
  /** Bytes of metadata that are still to come. */
  #skipped = 0;
  /** Whether blocks of metadata follow, rather than frames. */
  #inMetadata = false;
  /** Where the end of the current frame has not been found yet. */
  #searched = 0;
  #longest = 0;
  #link = 0;

  get syncBytes(): number {
    return this.#longest;
  }

  read(bytes: Uint8Array<ArrayBuffer>): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? bytes : joined(this.#bytes, bytes);
    const frames: Frame[] = [];
    while (this.#step(frames, false));
    return frames;
  }

  finish(): Frame[] {
    const frames: Frame[] = [];
    while (this.#step(frames, true));
    this.#drop(this.#bytes.length);
    return frames;
  }

  restart(offset: number, seconds: number): void {
    this.#bytes = new Uint8Array(0);
    this.#offset = offset;
    this.#skipped = this.#searched = 0;
    this.#inMetadata = false;
    this.#times.restart(offset, seconds);
  }

  /** Takes one thing from the bytes. Returns whether there was one. */
  #step(frames: Frame[], isEnd: boolean): boolean {
    if (this.#skipped > 0) return this.#skip();
    if (this.#inMetadata) return this.#takeBlock();
    if (this.#bytes.length < HEADER_BYTES && !isEnd) return false;
    if (indexOf(this.#bytes.subarray(0, MARK.length), MARK) === 0) {
      this.#times.begin(this.#offset);
      this.#link += 1;
      this.#drop(MARK.length);
      this.#inMetadata = true;
      return true;
    }
    const header = readFrameHeader(this.#bytes, 0, this.#info);
    if (header === null) return this.#synchronise(isEnd);
    const length = this.#lengthOf(header, isEnd);
    if (length === null) return false;
    if (length === 0) this.#drop(1); // No frame, or a damaged one.
    else this.#take(header, length, frames);
    return true;
  }

  #skip(): boolean {
    const length = Math.min(this.#skipped, this.#bytes.length);
    this.#skipped -= length;
    this.#drop(length);
    return length > 0;
  }

  #takeBlock(): boolean {
    const size = this.#bytes.length < BLOCK_HEADER_BYTES ? 0 : sizeOf(this.#bytes);
    const [flags] = this.#bytes;
    const isStreamInfo = (flags! & 0x7f) === 0;
    if (this.#bytes.length < BLOCK_HEADER_BYTES + (isStreamInfo ? size : 0)) return false;
    if (isStreamInfo) this.#info = readStreamInfo(this.#bytes.slice(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + size));
    this.#drop(BLOCK_HEADER_BYTES);
    this.#skipped = size;
    this.#inMetadata = (flags! & 0x80) === 0;
    return true;
  }

  /** Drops what precedes the next frame or file. */
  #synchronise(isEnd: boolean): boolean {
    for (let at = 1; at + HEADER_BYTES <= this.#bytes.length; at += 1) {
      const next = nextMark(this.#bytes, at);
      if (next < 0 || next + HEADER_BYTES > this.#bytes.length) break;
      if (startsFile(this.#bytes, next) || readFrameHeader(this.#bytes, next, this.#info) !== null) {
        this.#drop(next);
        return true;
      }
      at = next;
    }
    this.#drop(isEnd ? this.#bytes.length : Math.max(0, this.#bytes.length - HEADER_BYTES));
    return false;
  }

  /** Returns the length of the frame at the start; null if more bytes are needed, 0 if it has no end. */
  #lengthOf(header: FlacFrameHeader, isEnd: boolean): number | null {
    const bytes = this.#bytes;
    const most = header.mostBytes;
    let at = Math.max(MIN_FRAME_BYTES, this.#searched);
    for (; at <= Math.min(most, bytes.length - HEADER_BYTES); at += 1) {
      at = nextMark(bytes, at);
      if (at < 0 || at > Math.min(most, bytes.length - HEADER_BYTES)) break;
      if (startsFile(bytes, at) && isIntact(bytes, at)) return at;
      const next = readFrameHeader(bytes, at, this.#info);
      if (next !== null && (next.position === header.position + header.samples || isIntact(bytes, at))) return at;
    }
    if (isEnd) return lastLength(bytes, most);
    this.#searched = Math.max(MIN_FRAME_BYTES, bytes.length - HEADER_BYTES + 1);
    return this.#searched > most ? 0 : null;
  }

  #take(header: FlacFrameHeader, length: number, frames: Frame[]): void {
    const { sampleRate, channels, bitDepth, samples, position } = header;
    const data = this.#bytes.slice(0, length);
    this.#longest = Math.max(this.#longest, length);
    const time = this.#times.at(position / sampleRate, samples / sampleRate);
    this.#drop(length);
    frames.push({
      data,
      header: { channels, bitDepth, sampleRate, blockSize: samples, streamInfo: header.streamInfo },
      samples,
      sampleRate,
      time,
      end: this.#offset,
      settings: `flac/${this.#link}/${sampleRate}/${channels}/${bitDepth}`,
    });
  }

  #drop(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
    this.#offset += length;
    this.#searched = 0;
  }
}

function sizeOf(block: Uint8Array): number {
  return (block[1]! << 16) | (block[2]! << 8) | block[3]!;
}

/** Returns the next place from `from` where a frame or a file may start; -1 for none. */
function nextMark(bytes: Uint8Array, from: number): number {
  for (let at = from; at + 1 < bytes.length; at += 1) {
    if (bytes[at] === 0xff && (bytes[at + 1]! & 0xfe) === 0xf8) return at;
    if (bytes[at] === MARK[0] && startsFile(bytes, at)) return at;
  }
  return -1;
}

function startsFile(bytes: Uint8Array, at: number): boolean {
  return MARK.every((byte, index) => bytes[at + index] === byte);
}

/** Whether the frame at the start is complete with `length` bytes: its last two are a checksum. */
function isIntact(bytes: Uint8Array, length: number): boolean {
  return crc16(bytes.subarray(0, length - 2)) === ((bytes[length - 2]! << 8) | bytes[length - 1]!);
}

/** Returns the length of the last frame, which other data may follow; 0 if it is incomplete. */
function lastLength(bytes: Uint8Array, most: number): number {
  if (bytes.length >= MIN_FRAME_BYTES && isIntact(bytes, bytes.length)) return bytes.length;
  let crc = 0;
  for (let at = 0; at + 2 <= Math.min(bytes.length, most); at += 1) {
    if (at >= MIN_FRAME_BYTES - 2 && crc === ((bytes[at]! << 8) | bytes[at + 1]!)) return at + 2;
    crc = crc16(bytes.subarray(at, at + 1), crc);
  }
  return 0;
}
