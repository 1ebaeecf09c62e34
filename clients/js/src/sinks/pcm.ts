import { clientError } from "../errors.js";
import { PcmDecoder } from "../pcm.js";
import type { PcmFormat } from "../riff.js";
import { autoplayBlocked } from "./element.js";
import type { Sink, SinkHost } from "./sink.js";

/** Delay before the first sound, so that it can be scheduled at an exact time. */
const LEAD_SECONDS = 0.05;

/** While COMFORTABLE_SECONDS are scheduled, audio is collected to pieces of PIECE_SECONDS. */
const COMFORTABLE_SECONDS = 1;
const PIECE_SECONDS = 0.25;

/** Interval at which the playhead is checked, in milliseconds. */
const CHECK_MS = 100;

/**
 * A scheduled piece of audio, in seconds: `at` is when it plays by the context's clock, `from` and `to` the part of the
 * audio that plays. `begin` is the time of its first sample, which is before `from` if samples are skipped.
 */
interface Scheduled {
  node: AudioBufferSourceNode;
  begin: number;
  at: number;
  from: number;
  to: number;
}

/** Plays PCM through Web Audio, in pieces scheduled one after another without gaps. */
export class PcmSink implements Sink {
  readonly #audio: HTMLAudioElement;
  readonly #format: PcmFormat;
  readonly #host: SinkHost;
  readonly #context: AudioContext;
  readonly #volume: GainNode;
  readonly #decoder: PcmDecoder;
  readonly #handlers = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #scheduled: Scheduled[] = [];
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #queued = 0;
  /** Offset after the last byte taken from the queue. */
  #consumed: number;
  /** End of the scheduled audio, in seconds of the audio. */
  #end = 0;
  /** The playhead while there is no sound. */
  #idleAt = 0;
  #ended = false;
  #dataEnd: number;

  /** @param connect connects the output node; to the speakers by default. */
  constructor(
    audio: HTMLAudioElement,
    format: PcmFormat,
    host: SinkHost,
    connect: (node: AudioNode) => void = (node) => void node.connect(node.context.destination),
  ) {
    this.#audio = audio;
    this.#format = format;
    this.#host = host;
    this.#decoder = new PcmDecoder(format);
    this.#consumed = format.dataOffset;
    this.#dataEnd = format.dataBytes === null ? Infinity : format.dataOffset + format.dataBytes;
    this.#context = contextOf(format.sampleRate);
    this.#volume = this.#context.createGain();
    connect(this.#volume);
    this.#applyVolume();
    const { signal } = this.#handlers;
    audio.addEventListener("volumechange", () => this.#applyVolume(), { signal });
    this.#context.addEventListener("statechange", () => host.changed(), { signal });
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
  }

  get pendingBytes(): number {
    return this.#queued;
  }

  get currentTime(): number {
    const now = this.#context.currentTime;
    const sounding = this.#scheduled.find(({ at, from, to }) => now < at + to - from);
    if (sounding === undefined) return this.#idleAt;
    return sounding.from + Math.max(0, now - sounding.at);
  }

  get aheadSeconds(): number {
    return Math.max(0, this.#end - this.currentTime);
  }

  get underrun(): boolean {
    return this.#context.state !== "running" || this.aheadSeconds === 0;
  }

  get ended(): boolean {
    return this.#ended && this.#queued === 0 && this.aheadSeconds === 0;
  }

  get totalSeconds(): number | null {
    return this.#dataEnd === Infinity ? null : this.secondsAt(this.#dataEnd);
  }

  get bytesPerSecond(): number {
    return this.#format.sampleRate * this.#format.bytesPerFrame;
  }

  append(bytes: Uint8Array<ArrayBuffer>): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#work();
  }

  end(): void {
    this.#ended = true;
    this.#work();
  }

  async play(): Promise<void> {
    if (navigator.userActivation?.hasBeenActive === false) throw autoplayBlocked();
    await this.#context.resume();
  }

  pause(): void {
    void this.#context.suspend();
  }

  jump(seconds: number): boolean {
    const inside = this.#scheduled.filter(({ to }) => to > seconds);
    if (inside.length === 0 || inside[0]!.from > seconds) return false;
    // Reschedules what is scheduled, earlier.
    const pieces = inside.map(({ node, begin }) => ({ samples: node.buffer!, begin }));
    this.#silence();
    this.#end = this.#idleAt = seconds;
    for (const { samples, begin } of pieces) this.#schedule(samples, Math.max(0, seconds - begin));
    this.#host.changed();
    return true;
  }

  byteAt(seconds: number): number {
    const frame = Math.max(0, Math.round(seconds * this.#format.sampleRate));
    return this.#format.dataOffset + frame * this.#format.bytesPerFrame;
  }

  secondsAt(offset: number): number {
    return Math.max(0, offset - this.#format.dataOffset) / this.bytesPerSecond;
  }

  restart(offset: number, seconds: number): void {
    this.#silence();
    this.#queue = [];
    this.#queued = 0;
    this.#decoder.reset();
    this.#consumed = offset;
    this.#end = this.#idleAt = seconds;
    this.#ended = false;
    this.#host.changed();
  }

  setTotal(bytes: number): void {
    this.#dataEnd = Math.min(this.#dataEnd, bytes);
  }

  reconnected(): void {
    // Nothing here depends on the connection.
  }

  close(): void {
    clearInterval(this.#timer);
    this.#handlers.abort();
    this.#silence();
    void this.#context.close();
  }

  #work(): void {
    const enough = this.#ended || this.aheadSeconds < COMFORTABLE_SECONDS;
    if (this.#queued === 0 || (!enough && this.#queued < PIECE_SECONDS * this.bytesPerSecond)) return;
    const pieces = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    for (const piece of pieces) {
      // What follows the samples is not audio.
      const samples = piece.subarray(0, Math.max(0, this.#dataEnd - this.#consumed));
      this.#consumed += piece.length;
      const channels = this.#decoder.decode(samples);
      if (channels[0]!.length > 0) this.#schedule(this.#bufferOf(channels), 0);
    }
    this.#host.changed();
  }

  #bufferOf(channels: Float32Array<ArrayBuffer>[]): AudioBuffer {
    const buffer = this.#context.createBuffer(channels.length, channels[0]!.length, this.#format.sampleRate);
    channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    return buffer;
  }

  /** Schedules a piece after the others, without its first `skipped` seconds. */
  #schedule(samples: AudioBuffer, skipped: number): void {
    const now = this.#context.currentTime;
    const last = this.#scheduled.at(-1);
    const follows = last === undefined ? 0 : last.at + last.to - last.from;
    const at = follows > now ? follows : now + LEAD_SECONDS;
    const node = this.#context.createBufferSource();
    node.buffer = samples;
    node.connect(this.#volume);
    node.start(at, skipped);
    const from = this.#end;
    this.#end = from + samples.duration - skipped;
    this.#scheduled.push({ node, at, from, begin: from - skipped, to: this.#end });
    this.#idleAt = this.#end;
  }

  #silence(): void {
    for (const { node } of this.#scheduled) {
      node.stop();
      node.disconnect();
    }
    this.#scheduled = [];
  }

  #check(): void {
    const now = this.#context.currentTime;
    const played = this.#scheduled.filter(({ at, from, to }) => at + to - from < now);
    for (const { node } of played) node.disconnect();
    this.#scheduled = this.#scheduled.slice(played.length);
    this.#work();
    this.#host.changed();
  }

  #applyVolume(): void {
    this.#volume.gain.value = this.#audio.muted ? 0 : this.#audio.volume;
  }
}

function contextOf(sampleRate: number): AudioContext {
  try {
    // At any other rate each piece is resampled by itself, with clicks between pieces.
    return new AudioContext({ sampleRate });
  } catch (cause) {
    throw clientError("ASF_CLIENT_DECODE_FAILED", `The browser cannot play PCM at ${sampleRate} Hz.`, { cause });
  }
}
