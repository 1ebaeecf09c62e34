import { Timeline } from "../timeline/timeline.js";
import type { RelatingTransform, Transform } from "../wrapping/transform.js";
import type { SegmentBuffer } from "./segment_buffer.js";

/** How much earlier than estimated audio is fetched that tells its time, in seconds. */
const LEAD_SECONDS = 0.5;

/**
 * Takes the bytes of a stream, and gives a buffer what they become. Knows which byte is at which second.
 *
 * Methods throw what the transform throws: the bytes are no such audio.
 */
export class Intake {
  readonly #buffer: SegmentBuffer;
  /** Null until it is loaded. */
  #transform: Transform | null = null;
  /** What knows which byte is at which second: the transform, or what is measured. Null until the transform is loaded. */
  #relation: RelatingTransform | Timeline | null = null;
  /** What was received until then. */
  #received: Uint8Array<ArrayBuffer>[] = [];
  /** Offset of the first byte since the last restart, and the time given for it; null where that is not known yet. */
  #origin = 0;
  #seconds: number | null = null;
  #wasRestarted = false;
  /** The earliest time that the browser's parser was given since it was reset; null for none. */
  #earliest: number | null = null;
  #ended = false;
  #total: number | null = null;

  constructor(buffer: SegmentBuffer) {
    this.#buffer = buffer;
  }

  /** Whether a transform was loaded. */
  get isReady(): boolean {
    return this.#transform !== null;
  }

  /** Whether the audio tells its time. */
  get isExact(): boolean {
    return this.#transform?.exact ?? false;
  }

  /** Bytes that were not appended yet. */
  get pendingBytes(): number {
    return this.#received.reduce((sum, { length }) => sum + length, 0) + this.#buffer.pendingBytes;
  }

  /** Byte rate of the audio; null while it is unknown. */
  get bytesPerSecond(): number | null {
    return this.#relation?.bytesPerSecond ?? null;
  }

  /** Duration of the complete audio; null while it is unknown. */
  get totalSeconds(): number | null {
    return this.#relation?.totalSeconds ?? null;
  }

  /** Time of the first byte since the last restart, as far as it is known. */
  get startSeconds(): number {
    return this.#seconds ?? 0;
  }

  /**
   * Uses a transform.
   *
   * @param header the beginning of the audio, if what is appended does not start with it but follows a `restart`.
   */
  use(transform: Transform, header: Uint8Array<ArrayBuffer> | null): void {
    this.#transform = transform;
    this.#relation = "byteAt" in transform ? (transform as RelatingTransform) : new Timeline(transform.exact, transform.start);
    if (this.#total !== null) this.#relation.setTotal(this.#total);
    if (header !== null) {
      this.#timeline?.readHeader(header);
      transform.push(header);
    }
    const received = this.#received;
    this.#received = [];
    if (this.#wasRestarted) this.#restart(transform, this.#origin);
    else if (transform.start) this.#buffer.restart(0, -transform.start);
    for (const bytes of received) this.#push(transform, bytes);
    if (this.#ended) this.end();
  }

  append(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#transform === null) this.#received.push(bytes);
    else this.#push(this.#transform, bytes);
  }

  /** No more bytes follow, unless after `restart`. */
  end(): void {
    this.#ended = true;
    if (this.#transform === null) return;
    this.#buffer.append(this.#transform.flush());
    this.#buffer.end();
  }

  /** The next bytes start at `offset`, at about `seconds`; null: at {@link secondsAt}, once that can be known. */
  restart(offset: number, seconds: number | null): void {
    this.#received = [];
    this.#origin = offset;
    this.#seconds = seconds;
    this.#wasRestarted = true;
    this.#ended = false;
    if (this.#transform !== null) this.#restart(this.#transform, offset);
  }

  /** Sets the size of the complete audio. */
  setTotal(bytes: number): void {
    this.#total = bytes;
    this.#relation?.setTotal(bytes);
  }

  /** Something was appended: measures what it was. */
  appended(): void {
    const last = this.#buffer.ranges.at(-1);
    if (this.#buffer.isRestarting || last === undefined || this.#buffer.appendedEnd <= this.#origin) return;
    this.#timeline?.beginDecoding(this.#origin, last.start);
    this.#timeline?.decoded(this.#buffer.appendedEnd, last.end);
  }

  /** Returns the offset to fetch from in order to play from `seconds`; null while the rate is unknown. */
  byteAt(seconds: number): number | null {
    const byte = this.#relation?.byteAt(seconds) ?? null;
    if (byte === null || this.#timeline?.isEntry(seconds) !== false || !this.isExact) return byte;
    // The estimate may be a little late, and decoding starts at the next frame, page or cluster.
    return Math.max(0, Math.floor(byte - this.#syncBytes - LEAD_SECONDS * (this.bytesPerSecond ?? 0)));
  }

  /** Returns the estimated time of `offset`; null while the rate is unknown. */
  secondsAt(offset: number): number | null {
    return this.#relation?.secondsAt(offset) ?? null;
  }

  /** Returns the offset so many seconds from where bytes came last; null if there is nothing else to fetch. */
  offsetFrom(seconds: number): number | null {
    const rate = this.bytesPerSecond ?? 0;
    if (seconds > 0) return Math.floor(this.#buffer.appendedEnd + (seconds - LEAD_SECONDS) * rate);
    const margin = Math.max(1, this.#syncBytes) + LEAD_SECONDS * rate;
    return this.#origin === 0 ? null : Math.max(0, Math.floor(this.#origin + seconds * rate - margin));
  }

  /** What is measured, unless the transform knows it. */
  get #timeline(): Timeline | null {
    return this.#relation instanceof Timeline ? this.#relation : null;
  }

  get #syncBytes(): number {
    return this.#transform?.syncBytes ?? 0;
  }

  #push(transform: Transform, bytes: Uint8Array<ArrayBuffer>): void {
    this.#earliest ??= this.#seconds ?? 0;
    this.#timeline?.append(bytes);
    this.#buffer.append(transform.push(bytes));
  }

  #restart(transform: Transform, offset: number): void {
    const seconds = (this.#seconds ??= this.secondsAt(offset) ?? 0);
    this.#timeline?.restart(offset, seconds);
    transform.restart(offset, seconds);
    // WebKit's parser drops what is earlier than the first that it was given, unless it is reset.
    const isEarlier = transform.timed && this.#earliest !== null && seconds < this.#earliest;
    const isWhole = transform.isWhole !== false && !isEarlier;
    if (!isWhole) this.#earliest = null;
    this.#buffer.restart(offset, transform.timed ? -(transform.start ?? 0) : seconds, isWhole);
  }
}
