import { clientError } from "../errors.js";
import { PcmDecoder } from "../pcm.js";
import type { PcmFormat } from "../riff.js";
import { autoplayBlocked } from "./element.js";
import type { Sink, SinkHost } from "./sink.js";

/** What begins to sound begins so many seconds later, so that it does so at an exact time. */
const LEAD_SECONDS = 0.05;

/** While so much is scheduled, more is scheduled in pieces of a piece's length at least. Both in seconds. */
const AT_EASE_SECONDS = 1;
const PIECE_SECONDS = 0.25;

/** How often it is looked at where the playhead is, in milliseconds. */
const LOOK_MS = 100;

/**
 * A piece of audio: when it sounds, by the clock of the context, and what part of the audio it is; `begin` is what its
 * samples begin with, also where the first of them are skipped. In seconds.
 */
interface Scheduled {
  node: AudioBufferSourceNode;
  begin: number;
  at: number;
  from: number;
  to: number;
}

/** Plays PCM through Web Audio: pieces that are scheduled one after another, exactly to the sample. */
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
  /** The stream's byte behind the last one that was taken from the queue. */
  #consumed: number;
  /** Where the audio that is scheduled ends, in seconds of the audio. */
  #end = 0;
  /** Where the playhead is while nothing sounds. */
  #restingAt = 0;
  #noMore = false;
  #dataEnd: number;

  /** @param connect takes the sound; by default the loudspeakers do. */
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
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  get pendingBytes(): number {
    return this.#queued;
  }

  get currentTime(): number {
    const now = this.#context.currentTime;
    const sounding = this.#scheduled.find(({ at, from, to }) => now < at + to - from);
    if (sounding === undefined) return this.#restingAt;
    return sounding.from + Math.max(0, now - sounding.at);
  }

  get aheadSeconds(): number {
    return Math.max(0, this.#end - this.currentTime);
  }

  get starved(): boolean {
    return this.#context.state !== "running" || this.aheadSeconds === 0;
  }

  get ended(): boolean {
    return this.#noMore && this.#queued === 0 && this.aheadSeconds === 0;
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
    this.#noMore = true;
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
    // What is scheduled is scheduled anew, earlier.
    const pieces = inside.map(({ node, begin }) => ({ samples: node.buffer!, begin }));
    this.#silence();
    this.#end = this.#restingAt = seconds;
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
    this.#end = this.#restingAt = seconds;
    this.#noMore = false;
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
    const enough = this.#noMore || this.aheadSeconds < AT_EASE_SECONDS;
    if (this.#queued === 0 || (!enough && this.#queued < PIECE_SECONDS * this.bytesPerSecond)) return;
    const pieces = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    for (const piece of pieces) {
      // What follows on the samples is no sound.
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

  /** Lets a piece follow on what is scheduled, without its first `skipped` seconds. */
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
    this.#restingAt = this.#end;
  }

  #silence(): void {
    for (const { node } of this.#scheduled) {
      node.stop();
      node.disconnect();
    }
    this.#scheduled = [];
  }

  #look(): void {
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
    // At any other rate each piece is resampled alone, and clicks where it meets the next.
    return new AudioContext({ sampleRate });
  } catch (cause) {
    throw clientError("ASF_CLIENT_DECODE_FAILED", `The browser plays no PCM at ${sampleRate} Hz.`, { cause });
  }
}
