import type { AudioHeader, SeekIndex } from "./header.js";
import { countUpTo, type Point } from "./points.js";

/** Tags behind the audio, which its header does not count: the larger of a share of the file and a number of bytes. */
const TRAILER_SHARE = 0.02;
const TRAILER_BYTES = 16 * 1024;

/** Time by which a point may miss what was measured: seconds, and a share of the duration. */
const SLACK_SECONDS = 1;
const SLACK_SHARE = 0.01;

/** The byte rate of the rest is no more than so many times that of what was measured, and no less than its inverse. */
const MAX_RATE_RATIO = 50;

/** Shortest audio that a header is compared with, in seconds. */
const COMPARED_SECONDS = 20;

/**
 * What a file's header claims, as long as nothing contradicts it: the file may have been cut, or others appended, and a
 * file that is still being written has a provisional header.
 */
export class Claims {
  #totalSeconds: number | null = null;
  #index: SeekIndex | null = null;
  #totalBytes: number | null = null;

  /** Points of the header, rising. */
  get points(): readonly Point[] {
    return this.#index?.points ?? [];
  }

  /** The end of the audio; null if it is unknown, as long as the audio grows. */
  get end(): Point | null {
    const [bytes, seconds] = [this.#totalBytes, this.#totalSeconds];
    if (bytes === null || seconds === null) return null;
    return { offset: Math.min(this.#index?.end?.offset ?? bytes, bytes), seconds };
  }

  set(header: AudioHeader): void {
    this.#totalSeconds = header.totalSeconds;
    this.#index = header.index;
    this.#checkSize();
  }

  setTotal(bytes: number): void {
    this.#totalBytes = bytes;
    this.#checkSize();
  }

  /** Compares with a fact: the audio at `offset` starts at `seconds`. `measuredFrom` is where its measurement started. */
  check({ offset, seconds }: Point, measuredFrom: Point): void {
    const slack = SLACK_SECONDS + SLACK_SHARE * (this.#totalSeconds ?? 0);
    const index = this.#index;
    if (index !== null && (isBeyond(index.end, offset) || !agrees(index, { offset, seconds }, slack))) this.#dropIndex();
    if (this.#totalSeconds !== null && seconds > this.#totalSeconds + slack) this.#dropDuration();
    const [end, measured] = [this.end, seconds - measuredFrom.seconds];
    if (end === null || measured < COMPARED_SECONDS || seconds > end.seconds - slack) return;
    const rate = (offset - measuredFrom.offset) / measured;
    const ratio = (end.offset - offset) / (end.seconds - seconds) / rate;
    if (ratio > MAX_RATE_RATIO || ratio < 1 / MAX_RATE_RATIO) this.#dropDuration();
  }

  #checkSize(): void {
    const [total, index] = [this.#totalBytes, this.#index];
    if (total === null || index === null) return;
    const cut = index.points.at(-1)!.offset > total || (index.end !== null && index.end.offset > total + TRAILER_BYTES);
    if (cut || isBeyond(index.end, total)) this.#dropIndex();
  }

  /** Drops the index, and the duration if the index ends with it. */
  #dropIndex(): void {
    if (this.#index?.end?.seconds === this.#totalSeconds) this.#totalSeconds = null;
    this.#index = null;
  }

  /** Drops the duration, and the index if it ends with it. */
  #dropDuration(): void {
    if (this.#index?.end?.seconds === this.#totalSeconds) this.#index = null;
    this.#totalSeconds = null;
  }
}

/** Whether `offset` is so far behind the end that it is not that of the audio. */
function isBeyond(end: Point | null, offset: number): boolean {
  return end !== null && offset > end.offset + Math.max(TRAILER_BYTES, TRAILER_SHARE * end.offset);
}

/** Whether a fact lies between the points around it. */
function agrees({ points, toleranceBytes }: SeekIndex, { offset, seconds }: Point, slack: number): boolean {
  const before = points[countUpTo(points, "offset", offset - toleranceBytes) - 1];
  const after = points[countUpTo(points, "offset", offset + toleranceBytes)];
  return (before === undefined || seconds >= before.seconds - slack) && (after === undefined || seconds <= after.seconds + slack);
}
