import { joined } from "../bytes.js";
import { BOUNDARY_BYTES, mp4Boundary, webmBoundary } from "../containers.js";
import { FRAME_HEADER_BYTES, frameHeader, id3Length, type FrameHeader } from "./frames.js";
import type { AudioHeader } from "./header.js";
import { fragmentTicks } from "./mp4.js";
import { isTable } from "./mpeg.js";
import { clusterTicks } from "./webm.js";

/** Takes the offset of a frame, fragment or cluster, and the time at which it starts. */
export type Found = (offset: number, seconds: number) => void;

/** Finds out from the bytes which audio starts where. */
export interface Scanner {
  /** The next bytes start at `offset`, and their audio at `seconds` where it has no timestamps. */
  restart(offset: number, seconds: number): void;
  append(bytes: Uint8Array): void;
}

/** Longest frame (ADTS), and the part of it that shows what it is. */
const MAX_FRAME_BYTES = 8191;
const SHOWN_BYTES = 44;

/** ID3v1. */
const TRAILER_BYTES = 128;

/** Longest MP4 fragment header that is waited for. */
const MAX_MARK_BYTES = 256 * 1024;

/** Returns the scanner of a format; null if there is none. */
export function scannerOf(header: AudioHeader, found: Found): Scanner | null {
  if (header.format === "mpeg" || header.format === "adts") return new FrameScanner(found);
  if (header.tickSeconds === null) return null;
  return new MarkScanner(header.format === "mp4", header.tickSeconds, found);
}

/** Counts frames of MPEG or ADTS audio. */
export class FrameScanner implements Scanner {
  readonly #found: Found;
  #seconds = 0;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset of the rest. */
  #offset = 0;
  /** Bytes to skip before the rest's first byte. */
  #skip = 0;
  /** The last frame, after which another one should follow; null while frames are searched for. */
  #locked: FrameHeader | null = null;

  constructor(found: Found) {
    this.#found = found;
  }

  restart(offset: number, seconds: number): void {
    this.#seconds = seconds;
    this.#offset = offset;
    this.#rest = new Uint8Array(0);
    this.#skip = 0;
    this.#locked = null;
  }

  /** The decoder counts so many seconds more. */
  correct(seconds: number): void {
    this.#seconds += seconds;
  }

  append(bytes: Uint8Array): void {
    const all = joined(this.#rest, bytes);
    let at = 0;
    for (;;) {
      const step = Math.min(this.#skip, all.length - at);
      at += step;
      this.#skip -= step;
      if (this.#skip > 0 || all.length - at < SHOWN_BYTES || !this.#next(all, at)) break;
    }
    this.#offset += at;
    this.#rest = all.slice(at);
  }

  /** Looks at what is at `at`, and sets the bytes to skip. Returns whether there was enough to see. */
  #next(all: Uint8Array, at: number): boolean {
    const tag = id3Length(all, at);
    if (tag > 0) return this.#pass(tag);
    const frame = frameHeader(all, at);
    const last = this.#locked;
    if (frame === null || (last !== null && (frame.format !== last.format || frame.sampleRate !== last.sampleRate))) {
      const isTrailer = last !== null && all[at] === 0x54 && all[at + 1] === 0x41 && all[at + 2] === 0x47; // "TAG"
      this.#locked = null;
      if (isTrailer) return this.#pass(TRAILER_BYTES);
      if (frame === null) {
        const sync = all.indexOf(0xff, at + 1);
        return this.#pass((sync < 0 ? all.length : sync) - at);
      }
    }
    if (this.#locked === null) {
      const end = at + frame.bytes;
      if (end + FRAME_HEADER_BYTES > all.length && all.length - at < MAX_FRAME_BYTES + FRAME_HEADER_BYTES) return false;
      const following = frameHeader(all, end);
      if (following?.format !== frame.format || following.sampleRate !== frame.sampleRate) return this.#pass(1);
      this.#locked = frame;
    }
    if (!isTable(all, at, frame)) {
      this.#found(this.#offset + at, this.#seconds);
      this.#seconds += frame.samples / frame.sampleRate;
    }
    return this.#pass(frame.bytes);
  }

  #pass(bytes: number): true {
    this.#skip = bytes;
    return true;
  }
}

/** Finds the fragments of MP4 or the clusters of WebM, and reads their timestamps. */
export class MarkScanner implements Scanner {
  readonly #isMp4: boolean;
  readonly #tickSeconds: number;
  readonly #found: Found;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #offset = 0;

  constructor(isMp4: boolean, tickSeconds: number, found: Found) {
    this.#isMp4 = isMp4;
    this.#tickSeconds = tickSeconds;
    this.#found = found;
  }

  restart(offset: number): void {
    this.#offset = offset;
    this.#rest = new Uint8Array(0);
  }

  append(bytes: Uint8Array): void {
    let all = joined(this.#rest, bytes);
    for (;;) {
      const at = (this.#isMp4 ? mp4Boundary : webmBoundary)(all);
      // A mark may continue in the next piece.
      if (at < 0) return this.#keep(all, Math.max(0, all.length - BOUNDARY_BYTES));
      const ticks = (this.#isMp4 ? fragmentTicks : clusterTicks)(all, at);
      if (ticks === "more" && all.length - at < MAX_MARK_BYTES) return this.#keep(all, at);
      if (typeof ticks === "number") this.#found(this.#offset + at, ticks * this.#tickSeconds);
      this.#offset += at + BOUNDARY_BYTES;
      all = all.subarray(at + BOUNDARY_BYTES);
    }
  }

  #keep(all: Uint8Array, from: number): void {
    this.#offset += from;
    this.#rest = joined(all.subarray(from));
  }
}
