import { clientError } from "../errors.js";
import { WavStream, type PcmBlock, type PcmFormat } from "../wav/stream.js";
import { faultError } from "../wav/transform.js";
import { autoplayBlocked } from "./element.js";
import { deviceContext, PcmSchedule } from "./schedule.js";
import type { Sink, SinkHost } from "./sink.js";

/** While COMFORTABLE_SECONDS are scheduled, audio is collected to pieces of PIECE_SECONDS. */
const COMFORTABLE_SECONDS = 1;
const PIECE_SECONDS = 0.25;

/** Interval at which the playhead is checked while it moves, in milliseconds. */
const CHECK_MS = 100;

/** A context that does not start within this time was blocked: browsers do not say so. A busy device takes seconds. */
const START_MS = 5000;

/**
 * Plays WAV through Web Audio, for browsers whose Media Source takes no FLAC. The element gives the volume, the rate
 * (which changes the pitch here) and whether to loop; its own controls, and those of the system, do not know of it.
 */
export class PcmSink implements Sink {
  readonly #audio: HTMLAudioElement;
  readonly #host: SinkHost;
  readonly #connect: (node: AudioNode) => void;
  readonly #stream = new WavStream();
  readonly #format: PcmFormat;
  readonly #handlers = new AbortController();
  /** Null before the first sample, and from the end until there is more to play: browsers allow few contexts. */
  #schedule: PcmSchedule | null = null;
  /** The context that was started in the user's click, until it is used. */
  #started: AudioContext | null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #queued = 0;
  /** The playhead while nothing is scheduled. */
  #idleAt = 0;
  #isWanted = false;
  #ended = false;
  #wasConnected: boolean;

  /**
   * @param header the bytes before the first sample.
   * @param connect connects the output node; to the speakers by default.
   * @param started a context that was started in the user's click: phones let no other one sound.
   * @throws AsfError `ASF_CLIENT_DECODE_FAILED`
   */
  constructor(
    audio: HTMLAudioElement,
    header: Uint8Array,
    host: SinkHost,
    connect: (node: AudioNode) => void = (node) => void node.connect(node.context.destination),
    started: AudioContext | null = null,
  ) {
    this.#audio = audio;
    this.#host = host;
    this.#connect = connect;
    this.#started = started;
    this.#stream.push(header);
    if (this.#stream.format === null) {
      void started?.close();
      throw faultError(this.#stream.fault ?? "not-wav");
    }
    this.#format = this.#stream.format;
    this.#wasConnected = audio.isConnected;
    this.#open();
    const { signal } = this.#handlers;
    audio.addEventListener("volumechange", () => this.#schedule?.setVolume(this.#volume), { signal });
    audio.addEventListener("ratechange", () => this.#schedule?.setRate(audio.playbackRate), { signal });
  }

  get pendingBytes(): number {
    return this.#queued;
  }

  get currentTime(): number {
    return this.#schedule?.currentTime ?? this.#idleAt;
  }

  get aheadSeconds(): number {
    return this.#schedule?.aheadSeconds ?? 0;
  }

  get underrun(): boolean {
    return this.#schedule?.isRunning !== true || this.aheadSeconds === 0;
  }

  get ended(): boolean {
    return this.#ended && !this.#audio.loop && this.#queued === 0 && this.aheadSeconds === 0;
  }

  get totalSeconds(): number | null {
    return this.#stream.totalSeconds;
  }

  get bytesPerSecond(): number | null {
    return this.#stream.bytesPerSecond;
  }

  append(bytes: Uint8Array<ArrayBuffer>): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#work();
  }

  end(): void {
    this.#ended = true;
    this.#work();
    this.#play(this.#stream.end());
    this.#schedule?.end();
    this.#host.changed();
  }

  async play(): Promise<void> {
    this.#isWanted = true;
    if (this.ended) this.#host.sought(0); // As elements do.
    const { context } = this.#open();
    if (navigator.userActivation?.hasBeenActive === false) throw autoplayBlocked();
    // The promise of a blocked context stays open.
    const timeout = new Promise((resolve) => setTimeout(resolve, START_MS));
    await Promise.race([context.resume(), timeout]);
    if (this.#isWanted && context.state === "suspended") {
      this.pause(); // Else it would sound once it starts after all.
      throw autoplayBlocked();
    }
    this.#watch();
  }

  pause(): void {
    this.#isWanted = false;
    this.#watch();
    void this.#schedule?.context.suspend();
  }

  jump(seconds: number): boolean {
    if (this.#schedule?.jump(seconds) !== true) return false;
    this.#host.changed();
    return true;
  }

  byteAt(seconds: number): number | null {
    return this.#stream.byteAt(seconds);
  }

  secondsAt(offset: number): number | null {
    return this.#stream.secondsAt(offset);
  }

  restart(offset: number): void {
    this.#queue = [];
    this.#queued = 0;
    this.#ended = false;
    this.#idleAt = this.#stream.restart(offset);
    this.#open().restart(this.#idleAt);
  }

  setTotal(bytes: number): void {
    this.#stream.setTotal(bytes);
  }

  reconnected(): void {
    // Nothing here depends on the connection.
  }

  close(): void {
    this.#handlers.abort();
    this.#release();
  }

  get #volume(): number {
    return this.#audio.muted ? 0 : this.#audio.volume;
  }

  #open(): PcmSchedule {
    if (this.#schedule !== null) return this.#schedule;
    const context = this.#started ?? contextOf(this.#format.sampleRate);
    this.#started = null;
    const schedule = new PcmSchedule(context, this.#format, this.#idleAt, this.#connect);
    schedule.setVolume(this.#volume);
    schedule.setRate(this.#audio.playbackRate);
    schedule.context.addEventListener("statechange", () => this.#host.changed(), { signal: this.#handlers.signal });
    if (!this.#isWanted) void schedule.context.suspend();
    this.#schedule = schedule;
    this.#watch();
    return schedule;
  }

  #release(): void {
    this.#idleAt = this.currentTime;
    this.#schedule?.close();
    this.#schedule = null;
    this.#watch();
  }

  /** Checks regularly, as long as it plays. */
  #watch(): void {
    const isNeeded = this.#isWanted && this.#schedule !== null;
    if (isNeeded) this.#timer ??= setInterval(() => this.#check(), CHECK_MS);
    if (isNeeded) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    // As browsers do with an element that is removed from its document.
    const isRemoved = this.#wasConnected && !this.#audio.isConnected;
    this.#wasConnected = this.#audio.isConnected;
    if (isRemoved) {
      this.pause();
      this.#host.wanted(false);
    }
    this.#schedule?.clear();
    this.#work();
    if (this.ended) {
      this.#release();
    } else if (this.#ended && this.#queued === 0 && this.aheadSeconds === 0) {
      this.#ended = false; // The element loops.
      this.#host.sought(0);
    }
    this.#host.changed();
  }

  #work(): void {
    const enough = this.#ended || this.aheadSeconds < COMFORTABLE_SECONDS;
    if (this.#queued === 0 || (!enough && this.#queued < PIECE_SECONDS * (this.bytesPerSecond ?? 0))) return;
    const pieces = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    for (const piece of pieces) this.#play(this.#stream.push(piece));
    this.#host.changed();
  }

  #play(blocks: PcmBlock[]): void {
    for (const { channels } of blocks) this.#open().add(channels);
    const { fault } = this.#stream;
    if (fault !== null) this.#host.failed(faultError(fault));
  }
}

/** Returns a context of that rate, or of the device's where the browser does not have that one. */
function contextOf(sampleRate: number): AudioContext {
  try {
    return new AudioContext({ sampleRate });
  } catch (cause) {
    const context = deviceContext();
    if (context === null) throw clientError("ASF_CLIENT_DECODE_FAILED", "The browser cannot play PCM.", { cause });
    return context;
  }
}
