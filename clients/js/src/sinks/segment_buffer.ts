import { joined } from "../bytes.js";
import type { Segment } from "../wrapping/transform.js";
import type { AttachedSource } from "./media_source.js";
import { rangesOf, type Range } from "./ranges.js";

/** Seconds of played audio that stay buffered, to seek back without fetching. */
const KEPT_SECONDS = 10;

/** Played audio is evicted when so many seconds more than KEPT_SECONDS are buffered. */
const EVICTION_STEP_SECONDS = 5;

/** Played audio that stays when the buffer is full. */
const LEAST_KEPT_SECONDS = 1;

/** The duration is set again when it differs by more than such a part of it. */
const DURATION_TOLERANCE = 0.005;

/** Most bytes appended at once, unless a segment is larger. */
const MAX_APPEND_BYTES = 64 * 1024;

/** What a buffer reports, and asks. */
export interface SegmentBufferHost {
  /** Where audio is played, in seconds. */
  playhead(): number;
  /** Audio was appended, or removed. */
  updated(): void;
  /** The browser cannot take the audio. */
  failed(error: unknown): void;
  /** The browser has taken the source away from the element. */
  lost(): void;
}

/** Appends segments to a SourceBuffer one after another, and removes what was played. */
export class SegmentBuffer {
  readonly #attached: AttachedSource;
  readonly #source: MediaSource;
  readonly #host: SegmentBufferHost;
  readonly #handlers = new AbortController();
  #buffer: SourceBuffer | null = null;
  #queue: Segment[] = [];
  /** Offset after the last byte queued, and appended. */
  #queuedEnd = 0;
  #appendedEnd = 0;
  /** Offset after what is being appended; null where an append does not count. */
  #appendingEnd: number | null = null;
  /** The SourceBuffer works until its event `updateend`, which comes after `updating` turns false. */
  #isBusy = false;
  #isEnded = false;
  #isFull = false;
  #isRestarting = false;
  #timestampOffset = 0;
  #isWhole = true;

  constructor(attached: AttachedSource, mimeType: string, host: SegmentBufferHost) {
    const { source } = attached;
    this.#attached = attached;
    this.#source = source;
    this.#host = host;
    const { signal } = this.#handlers;
    const open = (): void =>
      this.#guard(() => {
        this.#buffer = source.addSourceBuffer(mimeType);
        this.#buffer.addEventListener("updateend", () => this.#guard(() => this.#updated()), { signal });
        this.#next();
      });
    if (source.readyState === "open") queueMicrotask(open); // The caller has no reference to this yet.
    else source.addEventListener("sourceopen", open, { once: true, signal });
    source.addEventListener("sourceclose", () => this.#lost(), { signal });
  }

  /** Bytes of the stream that were queued and not appended yet. */
  get pendingBytes(): number {
    return Math.max(0, this.#queuedEnd - this.#appendedEnd);
  }

  /** Offset after the last byte appended. */
  get appendedEnd(): number {
    return this.#appendedEnd;
  }

  /** Whether what is buffered is still from before the restart. */
  get isRestarting(): boolean {
    return this.#isRestarting;
  }

  /** Whether the browser has taken the source away from the element, also where Firefox gives it back without its buffer. */
  get isLost(): boolean {
    const { readyState, sourceBuffers } = this.#source;
    return this.#buffer !== null && (readyState === "closed" || sourceBuffers.length === 0);
  }

  /** Whether all segments were appended, and no more follow. */
  get isComplete(): boolean {
    return this.#isEnded && this.#queue.length === 0 && !this.#isBusy;
  }

  /** What is buffered. */
  get ranges(): Range[] {
    return this.#buffer === null || this.isLost ? [] : rangesOf(this.#buffer.buffered);
  }

  append(segments: Segment[]): void {
    this.#queue.push(...segments);
    this.#queuedEnd = segments.at(-1)?.end ?? this.#queuedEnd;
    this.work();
  }

  /** No more segments follow, unless after `restart`. */
  end(): void {
    this.#isEnded = true;
    this.work();
  }

  /**
   * Removes everything. The next segment is at `offset`, and `timestampOffset` seconds are added to its timestamps.
   *
   * @param isWhole whether nothing is left of the last segment: the parser is not reset then, as WebKit's takes no MP3 afterwards.
   */
  restart(offset: number, timestampOffset: number, isWhole = true): void {
    this.#queue = [];
    this.#queuedEnd = this.#appendedEnd = offset;
    this.#appendingEnd = null;
    this.#isEnded = this.#isFull = false;
    this.#isRestarting = true;
    this.#timestampOffset = timestampOffset;
    this.#isWhole = isWhole;
    this.work();
  }

  /** Continues, as the playhead has moved. */
  work(): void {
    this.#isFull = false;
    this.#guard(() => this.#next());
  }

  /** Tells the browser how long the audio is, or that it is longer or shorter. Does nothing while the buffer is busy. */
  setDuration(seconds: number): void {
    if (this.#buffer === null || this.#isBusy || this.isLost || this.#source.readyState !== "open") return;
    const { duration } = this.#source;
    if (Number.isFinite(duration) && Math.abs(duration - seconds) <= DURATION_TOLERANCE * seconds) return;
    if (seconds <= (this.ranges.at(-1)?.end ?? 0)) return;
    this.#guard(() => (this.#source.duration = seconds));
  }

  close(): void {
    this.#handlers.abort();
    this.#queue = [];
  }

  #next(): void {
    const buffer = this.#buffer;
    if (buffer === null || this.#isBusy || this.isLost || this.#handlers.signal.aborted) return;
    if (this.#isRestarting && !this.#reset(buffer)) return;
    if (this.#evict(buffer, KEPT_SECONDS, EVICTION_STEP_SECONDS) || this.#isFull) return;
    if (this.#queue.length > 0) this.#appendNext(buffer);
    else if (this.#isEnded && this.#source.readyState === "open") this.#source.endOfStream();
  }

  /** Empties the buffer. Returns whether it is ready for appending. */
  #reset(buffer: SourceBuffer): boolean {
    if (buffer.buffered.length > 0) {
      this.#remove(buffer, Infinity); // This reopens a source that has ended.
      return false;
    }
    if (!this.#isWhole) {
      if (this.#source.readyState === "ended") buffer.timestampOffset = this.#timestampOffset; // So does this.
      buffer.abort(); // Resets the parser: drops what was appended of a cluster or fragment.
    }
    buffer.timestampOffset = this.#timestampOffset;
    this.#isRestarting = false;
    return true;
  }

  #remove(buffer: SourceBuffer, to: number): void {
    buffer.remove(0, to);
    this.#isBusy = true;
  }

  /** Removes played audio but for `kept` seconds, if it is more than `step` seconds. Returns whether it does. */
  #evict(buffer: SourceBuffer, kept: number, step: number): boolean {
    const [first] = this.ranges;
    const to = this.#host.playhead() - kept;
    if (first === undefined || this.#source.readyState !== "open" || to <= 0 || to - first.start < step) return false;
    this.#remove(buffer, to);
    return true;
  }

  #appendNext(buffer: SourceBuffer): void {
    if (!this.#attached.wantsData) return;
    const taken: Segment[] = [];
    let length = 0;
    while (this.#queue.length > 0 && (length === 0 || length + this.#queue[0]!.bytes.length <= MAX_APPEND_BYTES)) {
      const segment = this.#queue.shift()!;
      taken.push(segment);
      length += segment.bytes.length;
    }
    const { end } = taken.at(-1)!;
    const bytes = taken.length === 1 ? taken[0]!.bytes : joined(...taken.map((segment) => segment.bytes));
    try {
      buffer.appendBuffer(bytes);
      this.#isBusy = true;
      this.#appendingEnd = end;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
      this.#queue.unshift({ bytes, end });
      // There is room again when more was played.
      this.#isFull = !this.#evict(buffer, LEAST_KEPT_SECONDS, LEAST_KEPT_SECONDS);
    }
  }

  #updated(): void {
    this.#isBusy = false;
    if (this.#appendingEnd !== null) this.#appendedEnd = this.#appendingEnd;
    this.#appendingEnd = null;
    this.#host.updated();
    this.#next();
  }

  /** Runs what the browser may refuse. */
  #guard(work: () => void): void {
    if (this.#handlers.signal.aborted) return;
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #lost(): void {
    this.close();
    this.#host.lost();
  }

  #fail(error: unknown): void {
    this.close();
    this.#host.failed(error);
  }
}
