import { joined } from "../bytes.js";
import { BOUNDARY_BYTES, type BoundaryFinder } from "../containers.js";
import { RateMeter } from "../rate.js";
import { bufferedAhead, detach, mediaError, playElement } from "./element.js";
import type { Sink, SinkHost } from "./sink.js";

/** Audio that was played is kept for so many seconds, to go back in without fetching it again. */
const KEPT_SECONDS = 10;

/** Played audio is removed when there are so many seconds of it more than are kept. */
const REMOVED_AT_ONCE_SECONDS = 5;

/** At most so many bytes are appended at once. */
const APPENDED_AT_ONCE_BYTES = 64 * 1024;

/** A length is told when so many seconds of audio tell it. */
const TRUSTED_SECONDS = 20;

/** Dragging the element's own slider asks for one place after another: the last one counts. */
const SETTLED_MS = 100;

/** Gives an element a Media Source; null where the browser has none. To be called in the user's click. */
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
  /** The stream's byte behind the last one that was appended. */
  #consumed = 0;
  #appending = 0;
  /** The stream's byte that was appended first since the last restart. */
  #origin = 0;
  /**
   * What the buffer is doing until its event `updateend` comes, which is later than `updating` ends. Only appending may
   * be aborted.
   */
  #operation: "append" | "header" | "remove" | null = null;
  #noMore = false;
  #heldUp = false;
  #restartAt: number | null = null;
  /** Bytes are dropped until a decoder can go on. */
  #aligning = false;
  #tail: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** After a restart the playhead goes to wherever the audio turns out to begin. */
  #placing = false;
  #total: number | null = null;
  #settling: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param boundary where the decoder can go on after a restart; null for anywhere.
   * @param header what the decoder needs first, where the first bytes that are appended do not begin with it.
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

  get starved(): boolean {
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
    this.#noMore = true;
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
    this.#noMore = false;
    this.#heldUp = false;
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
    clearTimeout(this.#settling);
    this.#handlers.abort();
    this.#queue = [];
    detach(this.#audio);
  }

  /** Does the next thing that is to be done, if the buffer is free for it. */
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
    if (this.#restartAt !== null && !this.#beginAnew(buffer, this.#restartAt)) return;
    if (this.#removePlayed(buffer, KEPT_SECONDS + REMOVED_AT_ONCE_SECONDS)) return;
    if (this.#queue.length > 0) this.#appendNext(buffer);
    else if (this.#noMore && this.#source.readyState === "open") this.#source.endOfStream();
    else this.#tellLength();
  }

  /** Returns the bytes from which on a decoder can go on; none while there is no such place. */
  #aligned(bytes: Uint8Array<ArrayBuffer>, boundary: BoundaryFinder): Uint8Array<ArrayBuffer> {
    const all = joined(this.#tail, bytes);
    const at = boundary(all);
    this.#aligning = at < 0;
    // A boundary may lie across the end of what there is.
    this.#tail = at < 0 ? all.slice(-BOUNDARY_BYTES) : new Uint8Array(0);
    this.#consumed += bytes.length - (at < 0 ? 0 : all.length - at);
    this.#origin = this.#consumed;
    return at < 0 ? this.#tail.subarray(0, 0) : all.subarray(at);
  }

  /** Empties the buffer, and then lets it begin at `seconds`. Returns whether it is ready to be appended to. */
  #beginAnew(buffer: SourceBuffer, seconds: number): boolean {
    if (buffer.buffered.length > 0) {
      this.#remove(buffer, 0, Infinity); // Which opens a source again that has ended.
      return false;
    }
    if (this.#source.readyState === "ended") buffer.timestampOffset = buffer.timestampOffset; // So does this.
    this.#restartAt = null;
    buffer.abort(); // Forgets a frame of which only the beginning was appended.
    // Containers have their own times; of anything else the decoder knows none.
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
    if (this.#heldUp) return;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    while (this.#queue.length > 0 && (length === 0 || length + this.#queue[0]!.length <= APPENDED_AT_ONCE_BYTES)) {
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
      // There is place again when more was played.
      this.#heldUp = !this.#removePlayed(buffer, 0, 0);
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

  /** Removes what was played, if there are more than `seconds` of it. Returns whether there was. */
  #removePlayed(buffer: SourceBuffer, seconds: number, kept = KEPT_SECONDS): boolean {
    const time = this.#audio.currentTime;
    if (buffer.buffered.length === 0 || this.#source.readyState !== "open") return false;
    if (time - kept <= buffer.buffered.start(0) || buffer.buffered.start(0) >= time - seconds) return false;
    this.#remove(buffer, 0, time - kept);
    return true;
  }

  #tellLength(): void {
    const [total, { buffered }] = [this.#total, this.#audio];
    if (total === null || this.#source.readyState !== "open" || Number.isFinite(this.#source.duration)) return;
    if (this.#rate.measuredSeconds < TRUSTED_SECONDS) return;
    const end = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    const length = this.#rate.secondsAt(total);
    if (length !== null && length > end) this.#source.duration = length;
  }

  #moved(): void {
    this.#heldUp = false;
    this.#work();
    this.#host.changed();
  }

  #seeking(): void {
    clearTimeout(this.#settling);
    const isPlaced = (): boolean => this.#placing || this.#restartAt !== null || this.#buffers(this.#audio.currentTime);
    if (isPlaced()) return;
    this.#settling = setTimeout(() => isPlaced() || this.#host.sought(this.#audio.currentTime), SETTLED_MS);
  }

  /** Whether that place is buffered. */
  #buffers(seconds: number): boolean {
    return bufferedAhead(this.#audio.buffered, seconds) > 0;
  }
}
