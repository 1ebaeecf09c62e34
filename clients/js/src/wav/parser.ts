import { findChunk, isChunk, isRiff, isTrailer, LOOKAHEAD_BYTES, nameAt } from "./chunks.js";
import type { WavEvent, WavFault, WavRun } from "./events.js";
import { MAX_FORMAT_BYTES, MIN_FORMAT_BYTES, readFormat, type WavFormat } from "./format.js";
import { PendingBytes } from "./pending.js";

/** Where the parser is: at a file's start, at a chunk before its samples, in samples, at what follows them, or somewhere in it. */
type Place = "file" | "chunk" | "samples" | "trailer" | "search" | "failed";

/** Sizes of a chunk's header, of a file's, and of the sizes in a `ds64` chunk. */
const CHUNK_BYTES = 8;
const FILE_BYTES = 12;
const DS64_BYTES = 16;

/** RF64 writes this where `ds64` has the actual size. */
const SIZE_IN_DS64 = 0xffffffff;

/**
 * Reads WAV as text-to-speech engines write it: growing, with sizes that are not known yet or are made up, several
 * files one behind another, with other chunks before and behind the samples.
 *
 * The sizes in a header only say where to look for a chunk. Samples end where another file or a known chunk starts, and
 * nowhere else. Takes bytes in pieces of any length; the pieces do not change what is found.
 */
export class WavParser {
  readonly #pending = new PendingBytes();
  #place: Place = "file";
  #events: WavEvent[] = [];
  #ending = false;
  #total = Infinity;
  /** Format of the file that is being read, or of the one before it, in case it has none. */
  #format: WavFormat | null = null;
  #fileEnd = Infinity;
  #dataSizeInDs64 = Infinity;
  /** Whether the chunk before has an odd size, so that a byte of padding should follow. */
  #padded = false;
  #run: WavRun | null = null;
  /** Offset where the header says that samples end; Infinity once that place was passed. */
  #edge = Infinity;

  /** Takes the bytes that follow the last ones. */
  push(bytes: Uint8Array): WavEvent[] {
    if (this.#place === "failed") return [];
    this.#pending.push(bytes);
    return this.#read();
  }

  /** No more bytes follow, unless after `restart`. Returns what was held back. */
  end(): WavEvent[] {
    this.#ending = true;
    const events = this.#read();
    this.#ending = false;
    if (this.#run === null && this.#place !== "failed") this.#fail("not-wav");
    return events;
  }

  /** Sets the size of the stream: chunks with names that are not known are recognised if they end with it. */
  setTotal(bytes: number): void {
    this.#total = bytes;
  }

  /**
   * The next byte is at `offset`.
   *
   * @param run whose samples start at the offset, contain it, or were the last before it; null to read a file there.
   * @param isBehind whether the run's samples end before the offset: only another file has more.
   */
  restart(offset: number, run: WavRun | null, isBehind = false): void {
    this.#pending.restart(offset);
    this.#run = run;
    this.#format = run?.format ?? null;
    this.#place = run === null ? "file" : isBehind ? "search" : "samples";
    const start = run === null || isBehind ? offset : frameFrom(run, offset);
    this.#pending.skipTo(start);
    this.#edge = run === null || run.announcedEnd < start ? Infinity : run.announcedEnd;
  }

  #read(): WavEvent[] {
    this.#events = [];
    while (!this.#pending.isSkipping && this.#step());
    this.#pending.compact();
    return this.#events;
  }

  /** Reads one thing. Returns whether there may be more to read. */
  #step(): boolean {
    const { view } = this.#pending;
    switch (this.#place) {
      case "file":
        return this.#readFile(view);
      case "chunk":
        return this.#readChunk(view);
      case "samples":
        return this.#readSamples(view);
      case "trailer":
        return this.#readTrailer(view);
      case "search":
        return this.#search(view);
      case "failed":
        return false;
    }
  }

  #readFile(view: DataView): boolean {
    if (view.byteLength < FILE_BYTES) return false;
    if (!isRiff(view, 0)) return this.#fail("not-wav");
    this.#fileEnd = this.#pending.offset + CHUNK_BYTES + view.getUint32(4, true);
    this.#dataSizeInDs64 = SIZE_IN_DS64;
    this.#padded = false;
    this.#place = "chunk";
    this.#pending.drop(FILE_BYTES);
    return true;
  }

  /** Reads a chunk before the samples. */
  #readChunk(view: DataView): boolean {
    // Some writers leave the padding out.
    const pad = this.#padded && view.byteLength > 0 && view.getUint8(0) === 0 ? 1 : 0;
    if (view.byteLength < pad + CHUNK_BYTES) return false;
    const name = nameAt(view, pad);
    const size = view.getUint32(pad + 4, true);
    const content = pad + CHUNK_BYTES;
    if (name === "data") return this.#startRun(content, size === SIZE_IN_DS64 ? this.#dataSizeInDs64 : size);
    const needed = name === "fmt " ? Math.min(size, MAX_FORMAT_BYTES) : name === "ds64" ? DS64_BYTES : 0;
    if (view.byteLength < content + needed) return false;
    if (name === "fmt ") {
      this.#format = needed < MIN_FORMAT_BYTES ? null : readFormat(new DataView(view.buffer, view.byteOffset + content, needed));
      if (this.#format === null) return this.#fail("unsupported");
    } else if (name === "ds64") {
      this.#fileEnd = this.#pending.offset - FILE_BYTES + CHUNK_BYTES + Number(view.getBigUint64(content, true));
      this.#dataSizeInDs64 = Number(view.getBigUint64(content + 8, true));
    }
    this.#padded = size % 2 === 1;
    this.#pending.skipTo(this.#pending.offset + content + size);
    return true;
  }

  #startRun(content: number, size: number): boolean {
    const format = this.#format;
    if (format === null) return this.#fail("unsupported");
    const start = this.#pending.offset + content;
    this.#begin({ format, start, announcedEnd: start + size, fileEnd: this.#fileEnd });
    this.#pending.drop(content);
    return true;
  }

  #begin(run: WavRun): void {
    this.#run = run;
    this.#edge = run.announcedEnd;
    this.#events.push({ kind: "run", run });
    this.#place = "samples";
  }

  #readSamples(view: DataView): boolean {
    // What may start in the last bytes shows only when more follow.
    const searchable = view.byteLength - (this.#ending ? 0 : LOOKAHEAD_BYTES);
    const untilEdge = this.#edge - this.#pending.offset;
    const to = Math.max(0, Math.min(searchable, untilEdge));
    const found = findChunk(this.#pending.bytes, view, 0, to);
    const emitted = this.#emit(found);
    if (found < to) return this.#endRun(found - emitted);
    if (untilEdge > searchable) return emitted > 0;
    this.#edge = Infinity;
    const at = this.#chunkAtEdge(new DataView(view.buffer, view.byteOffset + emitted, view.byteLength - emitted), to - emitted);
    return at === null || this.#endRun(at);
  }

  /** Emits the whole frames of the first `length` bytes. Returns their size. */
  #emit(length: number): number {
    const size = length - (length % this.#run!.format.frameBytes);
    if (size > 0) this.#events.push({ kind: "samples", offset: this.#pending.offset, bytes: this.#pending.bytes.subarray(0, size) });
    this.#pending.drop(size);
    return size;
  }

  /** Ends the run here. What follows starts after `length` bytes: those of an incomplete frame, and padding. */
  #endRun(length: number): true {
    this.#events.push({ kind: "end", offset: this.#pending.offset });
    this.#pending.drop(length);
    this.#padded = false;
    this.#place = "trailer";
    return true;
  }

  /** Returns where a chunk starts, if samples end at `at` as the header says; null if they go on. */
  #chunkAtEdge(view: DataView, at: number): number | null {
    const run = this.#run!;
    const isOdd = (run.announcedEnd - run.start) % 2 === 1;
    if (isOdd && this.#ending && view.byteLength === at + 1 && view.getUint8(at) === 0) return at + 1;
    for (const place of isOdd ? [at + 1, at] : [at]) {
      if (isRiff(view, place) || isTrailer(view, place)) return place;
      if (isChunk(view, place) && this.#isEnd(this.#pending.offset + place + CHUNK_BYTES + view.getUint32(place + 4, true))) return place;
    }
    return null;
  }

  /** Whether the file or the stream ends with a chunk that ends at `offset`. */
  #isEnd(offset: number): boolean {
    const ends = [offset, offset + (offset % 2)];
    return ends.includes(this.#run!.fileEnd) || ends.includes(this.#total);
  }

  /** Reads what follows samples or a chunk behind them: another chunk, another file, or samples again. */
  #readTrailer(view: DataView): boolean {
    if (view.byteLength === 0 || (view.byteLength < LOOKAHEAD_BYTES && !this.#ending)) return false;
    for (const pad of this.#padded && view.getUint8(0) === 0 ? [1, 0] : [0]) {
      if (isRiff(view, pad)) return this.#continueAt("file", pad);
      if (["fmt ", "data"].includes(nameAt(view, pad))) return this.#continueAt("chunk", pad);
      if (!isChunk(view, pad)) continue;
      const size = view.getUint32(pad + 4, true);
      this.#padded = size % 2 === 1;
      this.#pending.skipTo(this.#pending.offset + pad + CHUNK_BYTES + size);
      return true;
    }
    if (view.byteLength < CHUNK_BYTES) return false;
    this.#begin({ format: this.#run!.format, start: this.#pending.offset, announcedEnd: Infinity, fileEnd: Infinity });
    return true;
  }

  /** Skips to the next file. */
  #search(view: DataView): boolean {
    const to = Math.max(0, view.byteLength - (this.#ending ? 0 : LOOKAHEAD_BYTES));
    const found = findChunk(this.#pending.bytes, view, 0, to);
    if (found < to && isRiff(view, found)) return this.#continueAt("file", found);
    this.#pending.drop(Math.min(found + 1, to));
    return found < to;
  }

  #continueAt(place: Place, at: number): true {
    this.#padded = false;
    this.#place = place;
    this.#pending.drop(at);
    return true;
  }

  #fail(reason: WavFault): false {
    this.#place = "failed";
    this.#events.push({ kind: "failed", offset: this.#pending.offset, reason });
    return false;
  }
}

/** Returns the offset of the first whole frame at or after `offset`. */
function frameFrom(run: WavRun, offset: number): number {
  const { frameBytes } = run.format;
  return run.start + Math.ceil(Math.max(0, offset - run.start) / frameBytes) * frameBytes;
}
