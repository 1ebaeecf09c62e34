import { joined } from "../bytes.js";
import { flacHeader } from "./flac.js";
import { id3Length } from "./frames.js";
import type { AudioHeader } from "./header.js";
import { mp4Header } from "./mp4.js";
import { mpegHeader } from "./mpeg.js";
import { webmHeader } from "./webm.js";

/** Longest header that is read, without ID3v2 tags. */
const MAX_HEAD_BYTES = 512 * 1024;

/** Bytes that tell whether there is an ID3v2 tag. */
const TAG_BYTES = 10;

/** Collects the first bytes of the audio, until its header is known. */
export class HeadReader {
  #head: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset of the collected bytes: after ID3v2 tags. */
  #start = 0;
  /** Bytes of a tag that are still to come. */
  #skip = 0;
  #done = false;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** Whether the header was read, or there is none. */
  get done(): boolean {
    return this.#done;
  }

  /** Returns what was taken of the audio behind the header, once. */
  takeRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    return rest;
  }

  /**
   * Takes the next bytes.
   *
   * @param final whether nothing follows.
   * @returns the header; null while it is not known, or if there is none.
   */
  take(bytes: Uint8Array, final = false): AudioHeader | null {
    if (this.#done) return null;
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    this.#head = joined(this.#head, bytes.subarray(skipped));
    for (let tag = id3Length(this.#head, 0); tag > 0; tag = id3Length(this.#head, 0)) {
      this.#start += tag;
      this.#skip = Math.max(0, tag - this.#head.length);
      this.#head = this.#head.slice(tag);
    }
    if (this.#head.length < TAG_BYTES && !final) return null;
    const last = final || this.#head.length >= MAX_HEAD_BYTES;
    const header = readHeader(this.#head, this.#start, last);
    if (header === "more" && !last) return null;
    this.#done = true;
    if (header === "more") return null;
    if (header !== null) this.#rest = this.#head.slice(header.audioOffset - this.#start);
    this.#head = new Uint8Array(0);
    return header;
  }
}

function readHeader(bytes: Uint8Array, start: number, final: boolean): AudioHeader | "more" | null {
  if (String.fromCharCode(...bytes.subarray(0, 4)) === "OggS") {
    // The length of Ogg stands in its last page.
    return { format: "ogg", audioOffset: start, totalSeconds: null, index: null, tickSeconds: null };
  }
  const flac = flacHeader(bytes, start, final);
  if (flac !== null) return flac;
  const container = start > 0 ? null : (webmHeader(bytes, final) ?? mp4Header(bytes, final));
  return container ?? mpegHeader(bytes, start);
}
