import { joined } from "../bytes.js";
import { BOUNDARY_BYTES, type BoundaryFinder } from "../containers.js";
import type { Frame } from "./frame.js";
import { groups, type FrameMuxer } from "./muxer.js";
import type { Segment, Transform } from "./transform.js";

/** Largest segment. */
const MAX_SEGMENT_BYTES = 64 * 1024;

/** Passes on whole frames that Media Source takes as they are: MP3. */
export class FramesAsTheyAre implements FrameMuxer {
  wrap(frames: Frame[]): Segment[] {
    return groups(frames).map((group) => ({ bytes: joined(...group.map(({ data }) => data)), end: group.at(-1)!.end }));
  }

  restart(): void {
    // They have no header.
  }
}

/** Passes on a container that Media Source takes as it is: after a restart with its header, from a boundary on. */
export class Container implements Transform {
  readonly timed = true;
  readonly isWhole = false;
  readonly exact = true;
  readonly start: number;
  readonly #headerBytes: number;
  readonly #boundary: BoundaryFinder;
  #header: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #offset = 0;
  #isAligning = false;
  /** The end of what was searched for a boundary, whose mark may continue in the next piece. */
  #tail: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset of the last boundary. */
  #last: number | null = null;
  #syncBytes = 0;

  /**
   * @param boundary finds where a decoder can start.
   * @param start the first timestamp, in seconds.
   */
  constructor(headerBytes: number, boundary: BoundaryFinder, start: number) {
    this.start = start;
    this.#headerBytes = headerBytes;
    this.#boundary = boundary;
  }

  get syncBytes(): number {
    return this.#syncBytes;
  }

  push(bytes: Uint8Array<ArrayBuffer>): Segment[] {
    const start = this.#offset;
    this.#offset += bytes.length;
    const missing = this.#headerBytes - this.#header.length;
    if (start === this.#header.length && missing > 0) this.#header = joined(this.#header, bytes.subarray(0, missing));
    this.#measure(bytes, start);
    if (!this.#isAligning) return pieces(bytes, start);
    const all = joined(this.#tail, bytes);
    const at = this.#boundary(all);
    this.#tail = all.slice(at < 0 ? -BOUNDARY_BYTES : all.length);
    if (at < 0) return [];
    this.#isAligning = false;
    const from = this.#offset - all.length + at;
    return [{ bytes: this.#header, end: from }, ...pieces(all.subarray(at), from)];
  }

  flush(): Segment[] {
    return [];
  }

  restart(offset: number): void {
    this.#offset = offset;
    this.#isAligning = offset > 0;
    this.#tail = new Uint8Array(0);
    this.#last = null;
  }

  /** Measures how far boundaries are apart. */
  #measure(bytes: Uint8Array<ArrayBuffer>, start: number): void {
    for (let at = this.#boundary(bytes), from = 0; at >= 0; at = this.#boundary(bytes.subarray(from))) {
      const offset = start + from + at;
      if (this.#last !== null) this.#syncBytes = Math.max(this.#syncBytes, offset - this.#last);
      this.#last = offset;
      from += at + BOUNDARY_BYTES;
    }
  }
}

/** Returns bytes that start at `offset`, in pieces of a bounded size. */
function pieces(bytes: Uint8Array<ArrayBuffer>, offset: number): Segment[] {
  const all: Segment[] = [];
  for (let at = 0; at < bytes.length; at += MAX_SEGMENT_BYTES) {
    const piece = bytes.subarray(at, at + MAX_SEGMENT_BYTES);
    all.push({ bytes: piece, end: offset + at + piece.length });
  }
  return all;
}
