import { Claims } from "./claims.js";
import { Curve } from "./curve.js";
import { HeadReader } from "./head.js";
import { shifted } from "./header.js";
import { Measured, type Run } from "./measured.js";
import { countUpTo, covers, offsetIn, secondsIn, type Point } from "./points.js";
import { CurrentRate } from "./rate.js";
import { FrameScanner, MarkScanner, scannerOf, type Scanner } from "./scanner.js";

/** Shortest audio that a mean rate is computed from, and from which the duration is estimated, in seconds. */
const MIN_SECONDS = 0.5;
const TRUSTED_SECONDS = 20;

/** A decoder starts no more than so many seconds early, so as to start at a fragment, cluster or frame. */
const STEP_SECONDS = 30;

/** The decoder's count of seconds may differ so much from that of the frames before it is taken. */
const DRIFT_SECONDS = 0.25;

/**
 * Relates byte offsets of one stream to seconds of its audio.
 *
 * It learns from the bytes on their way to the decoder (`append`): from the file's header, if that has a table or a
 * duration which nothing contradicts, and from frames, fragments and clusters. Where it cannot read the format, it learns
 * from `measured` and `decoded`. What was measured from byte 0 on, or from timestamps, is exact to about a second; audio
 * that follows an estimated seek in a format without timestamps is exact in itself, and as far off as the seek was.
 */
export class Timeline {
  readonly #timed: boolean;
  readonly #start: number;
  readonly #head = new HeadReader();
  readonly #claims = new Claims();
  readonly #measured = new Measured();
  readonly #rate = new CurrentRate();
  #scanner: Scanner | null;
  /** Whether the bytes appended are the first of the audio, which the header reader needs. */
  #atHead = true;
  /** Offset of the first audio. */
  #audioOffset = 0;
  /** Offset after the last byte appended, and the offset up to which the decoder's count was taken. */
  #appended = 0;
  #corrected = -1;
  #wasScanned = false;
  #totalBytes: number | null = null;
  #curve: Curve | null = null;

  /**
   * @param timed whether the format has timestamps, as containers and FLAC have, so that times are exact after any seek.
   * @param start the timestamp at which the audio starts, which is second 0, in seconds.
   */
  constructor(timed: boolean, start = 0) {
    this.#timed = timed;
    this.#start = start;
    this.#scanner = timed ? null : new FrameScanner((offset, seconds) => this.#scanned(offset, seconds));
    this.#measured.begin(true);
  }

  /** Takes the file's header, or first frames, where bytes from another offset are appended first. */
  readHeader(header: Uint8Array): void {
    if (!this.#atHead) return;
    this.#readHead(header, true);
    if (!this.#timed) this.#scanner?.append(header);
  }

  /** The next bytes appended start at `offset`, and play from `seconds` on where the format has no timestamps. */
  restart(offset: number, seconds: number): void {
    if (offset > 0 || this.#appended > 0) this.#atHead = false;
    this.#appended = offset;
    this.#corrected = -1;
    this.#wasScanned = false;
    this.#scanner?.restart(offset, seconds);
    const isStart = offset <= this.#audioOffset;
    this.#measured.begin(this.#timed || isStart);
    if (!this.#timed && !isStart) this.#measured.add(offset, seconds);
    this.#rate.restart();
    this.#curve = null;
  }

  /** Takes the bytes that follow the last ones, as they are given to the decoder. */
  append(bytes: Uint8Array): void {
    const scanner = this.#scanner;
    this.#appended += bytes.length;
    if (this.#atHead) this.#readHead(bytes, false);
    scanner?.append(bytes);
  }

  /** Measured that the audio at `offset` starts at `seconds`. For formats that `append` cannot read. */
  measured(offset: number, seconds: number): void {
    this.#wasScanned = true;
    this.#add(offset, seconds);
  }

  /** Decoding starts at `offset`, at `seconds`. */
  beginDecoding(offset: number, seconds: number): void {
    this.#rate.begin(offset, seconds);
  }

  /** The audio before `offset` was decoded, and ends at `seconds`, as the decoder counts. */
  decoded(offset: number, seconds: number): void {
    this.#rate.observe(offset, seconds);
    if (!this.#wasScanned) {
      this.#add(offset, seconds);
    } else if (this.#scanner instanceof FrameScanner && offset > this.#corrected) {
      const counted = this.#measured.countedAt(offset);
      if (counted === null || Math.abs(seconds - counted) < DRIFT_SECONDS) return;
      this.#scanner.correct(seconds - counted);
      this.#corrected = this.#appended;
    }
  }

  /** Sets the size of the complete audio. */
  setTotal(bytes: number): void {
    if (bytes === this.#totalBytes) return;
    this.#totalBytes = bytes;
    this.#claims.setTotal(bytes);
    this.#curve = null;
  }

  /** Current byte rate of what is decoded; null while it is unknown. */
  get bytesPerSecond(): number | null {
    return this.#rate.bytesPerSecond;
  }

  /** Seconds of audio that were measured, over all seeks. */
  get measuredSeconds(): number {
    return this.#measured.seconds;
  }

  /**
   * Duration of the complete audio: from its header, else estimated once enough was measured; null while it is unknown,
   * as long as the audio grows.
   */
  get totalSeconds(): number | null {
    if (this.#totalBytes === null) return null;
    const { end } = this.#claims;
    if (end !== null) return Math.max(end.seconds, this.#measured.current?.points.at(-1)!.seconds ?? 0);
    return this.measuredSeconds < TRUSTED_SECONDS ? null : this.secondsAt(this.#totalBytes);
  }

  /** Whether it was measured, or the header's index says, which audio is at `seconds`. */
  isExact(seconds: number): boolean {
    return this.#anchored("seconds", seconds) !== null || covers(this.#claims.points, "seconds", seconds);
  }

  /**
   * Returns the offset from which to fetch in order to play from `seconds`: of a fragment or cluster at or before it where
   * one is known. Null while the rate is unknown.
   */
  byteAt(seconds: number): number | null {
    const offset = this.#byteAt(Math.max(0, seconds));
    return offset === null ? null : Math.min(Math.max(0, Math.floor(offset)), this.#totalBytes ?? Infinity);
  }

  /** Whether {@link byteAt} returns for `seconds` where a decoder can start that is needed for it. */
  isEntry(seconds: number): boolean {
    const isMarked = this.#scanner instanceof MarkScanner || this.#anchored("seconds", seconds) === null;
    return isMarked && this.#step(seconds) !== null;
  }

  /** Returns the time of `offset`, in seconds; null while the rate is unknown. */
  secondsAt(offset: number): number | null {
    const curve = this.#current();
    const at = curve.secondsAt(offset);
    const run = this.#looseRun("offset", offset);
    if (at === null || run === null) return at === null ? null : Math.max(0, at);
    const [first, last] = [run.points[0]!, run.points.at(-1)!];
    const [low, high] = this.#anchorsAround(run);
    const told =
      offset < first.offset ? Math.min(first.seconds, at)
      : offset <= last.offset ? secondsIn(run.points, offset)
      : Math.max(last.seconds, at + this.#lead(curve, last));
    return Math.max(0, Math.min(Math.max(told, low?.seconds ?? 0), high?.seconds ?? Infinity));
  }

  #byteAt(seconds: number): number | null {
    const curve = this.#current();
    const run = this.#looseRun("seconds", seconds);
    if (run === null) return this.#step(seconds) ?? curve.offsetAt(seconds);
    const [first, last] = [run.points[0]!, run.points.at(-1)!];
    const [low, high] = this.#anchorsAround(run);
    const at = curve.offsetAt(seconds > last.seconds ? seconds - this.#lead(curve, last) : seconds);
    if (at === null) return null;
    const told =
      seconds < first.seconds ? Math.min(first.offset, at)
      : seconds <= last.seconds ? offsetIn(run.points, seconds)
      : Math.max(last.offset, at);
    return Math.min(Math.max(told, low?.offset ?? 0), high?.offset ?? Infinity);
  }

  /** Returns the last point at or before `seconds` that is known, where a decoder can start only at some. */
  #step(seconds: number): number | null {
    if (!this.#timed) return null;
    const run = this.#anchored("seconds", seconds);
    const points = run === null ? this.#claims.points : run.points;
    const point = points[countUpTo(points, "seconds", seconds) - 1];
    return point === undefined || seconds - point.seconds > STEP_SECONDS ? null : point.offset;
  }

  #readHead(bytes: Uint8Array, final: boolean): void {
    const header = this.#head.take(bytes, final);
    this.#atHead = !this.#head.done;
    if (header === null) return;
    this.#audioOffset = header.audioOffset;
    this.#claims.set(this.#start === 0 ? header : shifted(header, -this.#start));
    this.#curve = null;
    if (!this.#timed) return;
    this.#scanner = scannerOf(header, (offset, seconds) => this.#scanned(offset, seconds - this.#start));
    this.#scanner?.restart(header.audioOffset, 0);
    this.#scanner?.append(this.#head.takeRest());
  }

  #scanned(offset: number, seconds: number): void {
    this.#wasScanned = true;
    this.#add(offset, seconds);
  }

  #add(offset: number, seconds: number): void {
    if (!this.#measured.add(offset, seconds)) return;
    this.#curve = null;
    const run = this.#measured.current;
    if (run?.anchored === true) this.#claims.check(run.points.at(-1)!, run.points[0]!);
  }

  #current(): Curve {
    const bytesPerSecond = this.#rate.bytesPerSecond;
    this.#curve ??= new Curve({
      start: { offset: this.#audioOffset, seconds: 0 },
      runs: this.#measured.runs,
      index: this.#claims.points,
      end: this.#claims.end,
      currentRate: bytesPerSecond,
      meanRate: this.#measured.seconds < MIN_SECONDS ? bytesPerSecond : this.#measured.meanRate,
    });
    return this.#curve;
  }

  #anchored(axis: keyof Point, value: number): Run | null {
    return this.#measured.runs.find(({ anchored, points }) => anchored && covers(points, axis, value)) ?? null;
  }

  /** Returns the current run if it has no anchor, and `value` lies between the anchored runs around it. */
  #looseRun(axis: keyof Point, value: number): Run | null {
    const run = this.#measured.current;
    if (run === null || run.anchored) return null;
    const [low, high] = this.#anchorsAround(run);
    return (low !== null && value <= low[axis]) || (high !== null && value >= high[axis]) ? null : run;
  }

  /** Returns the anchored points before and after a run. */
  #anchorsAround(run: Run): [before: Point | null, after: Point | null] {
    const { runs } = this.#measured;
    const at = runs.indexOf(run);
    const before = runs.slice(0, at).reverse().find(({ anchored }) => anchored);
    const after = runs.slice(at).find(({ anchored }) => anchored);
    return [before?.points.at(-1) ?? null, after?.points[0] ?? null];
  }

  /** Returns the seconds by which the current run, which ends at `last`, is estimated to be ahead of the truth. */
  #lead(curve: Curve, last: Point): number {
    const isFixed = this.#claims.end !== null || this.#claims.points.length > 0;
    return isFixed ? 0 : last.seconds - (curve.secondsAt(last.offset) ?? last.seconds);
  }
}
