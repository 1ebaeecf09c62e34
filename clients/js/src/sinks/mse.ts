import { clientError } from "../errors.js";
import type { Transform } from "../wrapping/transform.js";
import { detach, mediaError, playElement } from "./element.js";
import { Intake } from "./intake.js";
import { landingOf, type Target } from "./landing.js";
import type { AttachedSource } from "./media_source.js";
import { afterHole, rangeAt, rangesOf, secondsAfter } from "./ranges.js";
import { SegmentBuffer } from "./segment_buffer.js";
import type { Sink, SinkHost } from "./sink.js";
import { StallDetector } from "./stall.js";

/** Dragging the element's own slider seeks many times in a row: only the last one counts. */
const SEEK_DEBOUNCE_MS = 100;

/** Interval of the checks that playback advances, in milliseconds. */
const CHECK_MS = 250;

/** How many times a seek may fetch again. */
const MAX_TRIES = 4;

/** Plays through Media Source Extensions. */
export class MseSink implements Sink {
  readonly #audio: HTMLAudioElement;
  readonly #attached: AttachedSource;
  readonly #host: SinkHost;
  readonly #stall = new StallDetector();
  readonly #handlers = new AbortController();
  readonly #buffer: SegmentBuffer;
  readonly #intake: Intake;
  readonly #timer: ReturnType<typeof setInterval>;
  #target: Target | null = null;
  /** Where the element was, in seconds, while it had the source. */
  #place = 0;
  #seekTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param transform of the stream's bytes, or its promise.
   * @param header the beginning of the audio, if what is appended does not start with it but follows a `restart`.
   */
  constructor(
    audio: HTMLAudioElement,
    attached: AttachedSource,
    mimeType: string,
    transform: Transform | Promise<Transform>,
    header: Uint8Array<ArrayBuffer> | null,
    host: SinkHost,
  ) {
    this.#audio = audio;
    this.#attached = attached;
    this.#host = host;
    attached.onchange = () => this.#buffer.work();
    this.#buffer = new SegmentBuffer(attached, mimeType, {
      playhead: () => this.currentTime,
      updated: () => this.#updated(),
      failed: (error) => this.#failed(error),
      lost: () => host.lost(this.currentTime),
    });
    this.#intake = new Intake(this.#buffer);
    const { signal } = this.#handlers;
    const use = (loaded: Transform): void => {
      if (!signal.aborted) this.#guard(() => this.#use(loaded, header));
    };
    if (transform instanceof Promise) transform.then(use, (error: unknown) => this.#failed(error));
    else use(transform);
    for (const name of ["playing", "waiting", "timeupdate", "ended", "canplay", "seeked"]) {
      audio.addEventListener(name, () => this.#moved(), { signal });
    }
    audio.addEventListener("play", () => audio.paused || host.wanted(true), { signal });
    audio.addEventListener("pause", () => !audio.paused || audio.ended || audio.error !== null || host.wanted(false), { signal });
    audio.addEventListener("seeking", () => this.#seeking(), { signal });
    audio.addEventListener("emptied", () => this.#buffer.isLost && host.lost(this.currentTime), { signal });
    audio.addEventListener("error", () => audio.error === null || this.#failed(audio.error), { signal });
    this.#timer = MseSink.#checksOf(new WeakRef(this));
  }

  /** Starts the checks. The timer does not keep a sink whose element was thrown away. */
  static #checksOf(weak: WeakRef<MseSink>): ReturnType<typeof setInterval> {
    const timer = setInterval(() => {
      const sink = weak.deref();
      if (sink === undefined) clearInterval(timer);
      else sink.#moved();
    }, CHECK_MS);
    return timer;
  }

  get pendingBytes(): number {
    return this.#intake.pendingBytes;
  }

  get currentTime(): number {
    return this.#target?.seconds ?? (this.#buffer.isLost ? this.#place : this.#audio.currentTime);
  }

  get aheadSeconds(): number {
    if (this.#buffer.isRestarting) return 0;
    return secondsAfter(rangesOf(this.#audio.buffered), this.currentTime);
  }

  get underrun(): boolean {
    if (this.#target !== null) return true;
    return this.#audio.seeking || this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  get ended(): boolean {
    return this.#target === null && this.#audio.ended;
  }

  get totalSeconds(): number | null {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : null;
  }

  get bytesPerSecond(): number | null {
    return this.#intake.bytesPerSecond;
  }

  append(bytes: Uint8Array<ArrayBuffer>): void {
    this.#guard(() => this.#intake.append(bytes));
  }

  end(): void {
    this.#guard(() => this.#intake.end());
    this.#land();
  }

  play(): Promise<void> {
    return playElement(this.#audio);
  }

  pause(): void {
    this.#audio.pause();
  }

  jump(seconds: number): boolean {
    if (!this.#isBuffered(seconds)) return false;
    this.#move(seconds);
    return true;
  }

  byteAt(seconds: number): number | null {
    return this.#intake.byteAt(seconds);
  }

  secondsAt(offset: number): number | null {
    return this.#intake.secondsAt(offset);
  }

  restart(offset: number, seconds: number | null, isTimeAsked = false): void {
    this.#target = { seconds: seconds ?? 0, isPrecise: isTimeAsked, tries: MAX_TRIES };
    this.#guard(() => this.#intake.restart(offset, seconds));
  }

  setTotal(bytes: number): void {
    this.#intake.setTotal(bytes);
  }

  reconnected(): void {
    // Nothing here depends on the connection.
  }

  close(): void {
    clearTimeout(this.#seekTimer);
    clearInterval(this.#timer);
    this.#handlers.abort();
    this.#buffer.close();
    this.#attached.close();
    detach(this.#audio);
  }

  #use(transform: Transform, header: Uint8Array<ArrayBuffer> | null): void {
    this.#intake.use(transform, header);
    if (this.#target !== null) this.#target.seconds = this.#intake.startSeconds;
  }

  #updated(): void {
    this.#intake.appended();
    this.#land();
    this.#moved();
  }

  /** Moves the playhead to where a seek went as soon as there is audio, or fetches from another offset. */
  #land(): void {
    const target = this.#target;
    if (target === null || !this.#intake.isReady || this.#buffer.isRestarting) return;
    const isPrecise = target.isPrecise && this.#intake.isExact;
    const landing = landingOf({ ...target, isPrecise }, this.#buffer.ranges, this.#buffer.isComplete);
    if (landing.kind === "move") this.#move(landing.seconds);
    if (landing.kind !== "fetch") return;
    target.tries -= 1;
    const offset = this.#intake.offsetFrom(landing.seconds);
    if (offset === null) return;
    this.#guard(() => this.#intake.restart(offset, target.seconds));
    this.#host.fetch(offset);
  }

  #move(seconds: number): void {
    this.#target = null;
    this.#audio.currentTime = seconds;
  }

  #moved(): void {
    const { buffered, currentTime, readyState, seeking } = this.#audio;
    if (this.#buffer.isLost) return;
    this.#place = currentTime;
    if (this.#target === null && !this.#buffer.isRestarting) {
      const ranges = rangesOf(buffered);
      const hole = !seeking && readyState < HTMLMediaElement.HAVE_FUTURE_DATA ? afterHole(ranges, currentTime) : null;
      const next = hole ?? this.#stall.nudge(this.#audio, ranges, performance.now());
      if (next !== null) this.#audio.currentTime = next;
    }
    this.#buffer.work();
    this.#setDuration();
    this.#host.changed();
  }

  #setDuration(): void {
    const length = this.#intake.totalSeconds;
    if (length !== null) this.#buffer.setDuration(length);
  }

  #seeking(): void {
    clearTimeout(this.#seekTimer);
    const isPlaced = (): boolean => this.#target !== null || this.#isBuffered(this.#audio.currentTime);
    if (isPlaced()) return;
    this.#seekTimer = setTimeout(() => isPlaced() || this.#host.sought(this.#audio.currentTime), SEEK_DEBOUNCE_MS);
  }

  /** Whether that time can be played from without fetching: the end, too. */
  #isBuffered(seconds: number): boolean {
    if (this.#buffer.isRestarting) return false;
    const { ranges, isComplete } = this.#buffer;
    const end = ranges.at(-1)?.end;
    return rangeAt(ranges, seconds) !== undefined || (isComplete && end !== undefined && seconds >= end);
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#handlers.signal.aborted) return;
    this.#handlers.abort();
    this.#buffer.close();
    clearInterval(this.#timer);
    if (this.#audio.error !== null) this.#host.failed(mediaError(this.#audio));
    else this.#host.failed(clientError("ASF_CLIENT_DECODE_FAILED", "The audio cannot be played.", { cause: error, details: String(error) }));
  }
}
