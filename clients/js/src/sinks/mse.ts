import { joined } from "../bytes.js";
import { BOUNDARY_BYTES, type BoundaryFinder } from "../containers.js";
import { RateMeter } from "../rate.js";
import { bufferedAhead, detach, mediaError, playElement } from "./element.js";
import type { Sink, SinkHost } from "./sink.js";

/** Seconds of played audio that stay buffered, to seek back without fetching. */
const KEPT_SECONDS = 10;

/** Played audio is evicted when so many seconds more than KEPT_SECONDS are buffered. */
const EVICTION_STEP_SECONDS = 5;

/** Most bytes appended at once. */
const MAX_APPEND_BYTES = 64 * 1024;

/** Audio that must be measured before the duration is estimated from its rate, in seconds. */
const TRUSTED_SECONDS = 20;

/** Dragging the element's own slider seeks many times in a row: only the last one counts. */
const SEEK_DEBOUNCE_MS = 100;

/** Attaches a Media Source to an element; null if the browser has none. Call it in the user's click. */
export function attachMediaSource(audio: HTMLAudioElement): MediaSource | null {
  if (typeof MediaSource === "undefined") return null;
  const source = new MediaSource();
  const url = URL.createObjectURL(source);
  source.addEventListener("sourceopen", () => URL.revokeObjectURL(url), { once: true });
  audio.src = url;
  return source;
}

/** Plays through Media Source Extensions. */
export class MseSink implements Sink {
  readonly #audio: HTMLAudioElement;
  readonly #source: MediaSource;
  readonly #host: SinkHost;
  readonly #boundary: BoundaryFinder | null;
  readonly #rate = new RateMeter();
  readonly #handlers = new AbortController();
  #buffer: SourceBuffer | null = null;
  #header: Uint8Array<ArrayBuffer> | null;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #queued = 0;
  /** Offset after the last byte appended. */
  #consumed = 0;
  #appending = 0;
  /** Offset of the first byte appended since the last restart. */
  #origin = 0;
  /**
   * The buffer's current operation, until its event `updateend`, which comes after `updating` turns false. Only "append"
   * can be aborted.
   */
  #operation: "append" | "header" | "remove" | null = null;
  #ended = false;
  #quotaExceeded = false;
  #restartAt: number | null = null;
  /** Bytes are dropped until the next boundary at which a decoder can start. */
  #aligning = false;
  #tail: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** After a restart, the playhead moves to the start of the first audio decoded. */
  #placing = false;
  #total: number | null = null;
  #seekTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param boundary finds where a decoder can start after a restart; null for anywhere.
   * @param header to append first; null if the first bytes appended start with it.
   */
  constructor(
    audio: HTMLAudioElement,
    source: MediaSource,
    mimeType: string,
    boundary: BoundaryFinder | null,
    header: Uint8Array<ArrayBuffer> | null,
    host: SinkHost,
  ) {
    this.#header = header;
    this.#audio = audio;
    this.#source = source;
    this.#boundary = boundary;
    this.#host = host;
    const { signal } = this.#handlers;
    const open = (): void => {
      this.#buffer = source.addSourceBuffer(mimeType);
      this.#buffer.addEventListener("updateend", () => this.#updated(), { signal });
      this.#work();
    };
    if (source.readyState === "open") open();
    else source.addEventListener("sourceopen", open, { once: true, signal });
    for (const name of ["playing", "waiting", "timeupdate", "ended", "canplay", "seeked"]) {
      audio.addEventListener(name, () => this.#moved(), { signal });
    }
    audio.addEventListener("play", () => audio.paused || host.wanted(true), { signal });
    audio.addEventListener("pause", () => !audio.paused || audio.ended || audio.error !== null || host.wanted(false), { signal });
    audio.addEventListener("seeking", () => this.#seeking(), { signal });
    audio.addEventListener("error", () => audio.error === null || host.failed(mediaError(audio)), { signal });
  }

  get pendingBytes(): number {
    return this.#queued + this.#appending;
  }

  get currentTime(): number {
    return this.#audio.currentTime;
  }

  get aheadSeconds(): number {
    return bufferedAhead(this.#audio.buffered, this.#audio.currentTime);
  }

  get underrun(): boolean {
    if (this.#restartAt !== null || this.#placing) return true;
    return this.#audio.seeking || this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  get ended(): boolean {
    return this.#audio.ended;
  }

  get totalSeconds(): number | null {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : null;
  }

  get bytesPerSecond(): number | null {
    return this.#rate.bytesPerSecond;
  }

  append(bytes: Uint8Array<ArrayBuffer>): void {
    const usable = this.#boundary !== null && this.#aligning ? this.#aligned(bytes, this.#boundary) : bytes;
    if (usable.length === 0) return;
    this.#queue.push(usable);
    this.#queued += usable.length;
    this.#work();
  }

  end(): void {
    this.#ended = true;
    this.#work();
  }

  play(): Promise<void> {
    return playElement(this.#audio);
  }

  pause(): void {
    this.#audio.pause();
  }

  jump(seconds: number): boolean {
    if (!this.#buffers(seconds)) return false;
    this.#audio.currentTime = seconds;
    return true;
  }

  byteAt(seconds: number): number | null {
    return this.#rate.byteAt(seconds);
  }

  secondsAt(offset: number): number | null {
    return this.#rate.secondsAt(offset);
  }

  restart(offset: number, seconds: number): void {
    this.#queue = [];
    this.#queued = 0;
    this.#appending = 0;
    this.#tail = new Uint8Array(0);
    this.#consumed = this.#origin = offset;
    this.#ended = false;
    this.#quotaExceeded = false;
    this.#aligning = this.#boundary !== null;
    this.#restartAt = seconds;
    this.#rate.restart();
    this.#work();
  }

  setTotal(bytes: number): void {
    this.#total = bytes;
  }

  reconnected(): void {
    // Nothing here depends on the connection.
  }

  close(): void {
    clearTimeout(this.#seekTimer);
    this.#handlers.abort();
    this.#queue = [];
    detach(this.#audio);
  }

  /** Starts the next operation, if the buffer is idle. */
  #work(): void {
    const buffer = this.#buffer;
    if (buffer === null || this.#handlers.signal.aborted || this.#audio.error !== null) return;
    if (this.#operation !== null) {
      if (this.#operation === "append" && this.#restartAt !== null && buffer.updating) buffer.abort();
      return;
    }
    if (this.#header !== null) {
      buffer.appendBuffer(this.#header);
      this.#operation = "header";
      this.#header = null;
      return;
    }
    if (this.#restartAt !== null && !this.#reset(buffer, this.#restartAt)) return;
    if (this.#evict(buffer, KEPT_SECONDS + EVICTION_STEP_SECONDS)) return;
    if (this.#queue.length > 0) this.#appendNext(buffer);
    else if (this.#ended && this.#source.readyState === "open") this.#source.endOfStream();
    else this.#setDuration();
  }

  /** Returns the bytes from the next boundary on; none while there is no boundary. */
  #aligned(bytes: Uint8Array<ArrayBuffer>, boundary: BoundaryFinder): Uint8Array<ArrayBuffer> {
    const all = joined(this.#tail, bytes);
    const at = boundary(all);
    this.#aligning = at < 0;
    // A boundary's mark may continue in the next piece.
    this.#tail = at < 0 ? all.slice(-BOUNDARY_BYTES) : new Uint8Array(0);
    this.#consumed += bytes.length - (at < 0 ? 0 : all.length - at);
    this.#origin = this.#consumed;
    return at < 0 ? this.#tail.subarray(0, 0) : all.subarray(at);
  }

  /** Empties the buffer, then moves it to `seconds`. Returns whether it is ready for appending. */
  #reset(buffer: SourceBuffer, seconds: number): boolean {
    if (buffer.buffered.length > 0) {
      this.#remove(buffer, 0, Infinity); // This reopens a source that has ended.
      return false;
    }
    if (this.#source.readyState === "ended") buffer.timestampOffset = buffer.timestampOffset; // So does this.
    this.#restartAt = null;
    buffer.abort(); // Drops an incomplete frame.
    // Containers have timestamps; other formats have none.
    if (this.#boundary === null) buffer.timestampOffset = seconds;
    this.#placing = true;
    this.#audio.currentTime = seconds;
    return true;
  }

  #remove(buffer: SourceBuffer, from: number, to: number): void {
    buffer.remove(from, to);
    this.#operation = "remove";
  }

  #appendNext(buffer: SourceBuffer): void {
    if (this.#quotaExceeded) return;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    while (this.#queue.length > 0 && (length === 0 || length + this.#queue[0]!.length <= MAX_APPEND_BYTES)) {
      const piece = this.#queue.shift()!;
      pieces.push(piece);
      length += piece.length;
    }
    const bytes = pieces.length === 1 ? pieces[0]! : joined(...pieces);
    this.#queued -= length;
    try {
      buffer.appendBuffer(bytes);
      this.#operation = "append";
      this.#appending = bytes.length;
    } catch (error) {
      this.#queue.unshift(bytes);
      this.#queued += bytes.length;
      if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
      // There is room again when more was played.
      this.#quotaExceeded = !this.#evict(buffer, 0, 0);
    }
  }

  #updated(): void {
    this.#operation = null;
    const { buffered } = this.#buffer!;
    this.#consumed += this.#appending;
    const last = buffered.length - 1;
    if (this.#appending > 0 && last >= 0) {
      this.#rate.begin(this.#origin, buffered.start(last));
      this.#rate.observe(this.#consumed, buffered.end(last));
      if (this.#placing) this.#place(buffered.start(last), buffered.end(last));
    }
    this.#appending = 0;
    this.#work();
    this.#host.changed();
  }

  #place(start: number, end: number): void {
    this.#placing = false;
    const time = this.#audio.currentTime;
    if (time < start || time > end) this.#audio.currentTime = start;
  }

  /** Removes played audio if more than `seconds` of it are buffered. Returns whether it was. */
  #evict(buffer: SourceBuffer, seconds: number, kept = KEPT_SECONDS): boolean {
    const time = this.#audio.currentTime;
    if (buffer.buffered.length === 0 || this.#source.readyState !== "open") return false;
    if (time - kept <= buffer.buffered.start(0) || buffer.buffered.start(0) >= time - seconds) return false;
    this.#remove(buffer, 0, time - kept);
    return true;
  }

  #setDuration(): void {
    const [total, { buffered }] = [this.#total, this.#audio];
    if (total === null || this.#source.readyState !== "open" || Number.isFinite(this.#source.duration)) return;
    if (this.#rate.measuredSeconds < TRUSTED_SECONDS) return;
    const end = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    const length = this.#rate.secondsAt(total);
    if (length !== null && length > end) this.#source.duration = length;
  }

  #moved(): void {
    this.#quotaExceeded = false;
    this.#work();
    this.#host.changed();
  }

  #seeking(): void {
    clearTimeout(this.#seekTimer);
    const isPlaced = (): boolean => this.#placing || this.#restartAt !== null || this.#buffers(this.#audio.currentTime);
    if (isPlaced()) return;
    this.#seekTimer = setTimeout(() => isPlaced() || this.#host.sought(this.#audio.currentTime), SEEK_DEBOUNCE_MS);
  }

  /** Whether that time is buffered. */
  #buffers(seconds: number): boolean {
    return bufferedAhead(this.#audio.buffered, seconds) > 0;
  }
}
