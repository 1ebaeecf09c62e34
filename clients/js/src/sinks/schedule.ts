import { Resampler } from "../wav/resampler.js";
import type { PcmFormat } from "../wav/stream.js";

/** Delay before the first sound, so that it can be scheduled at an exact time. */
const LEAD_SECONDS = 0.05;

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

/** Returns an AudioContext at the rate of the device; null if the browser makes none. */
export function deviceContext(): AudioContext | null {
  try {
    return new AudioContext();
  } catch {
    return null;
  }
}

/** Starts a context, and lets it rest: after this was called in the user's click, scripts may resume it. */
export function unlock(context: AudioContext): void {
  // Both reject where it is closed before.
  context.resume().catch(() => undefined);
  context.suspend().catch(() => undefined);
}

/** Plays PCM in an AudioContext, in pieces scheduled one after another without gaps. */
export class PcmSchedule {
  readonly context: AudioContext;
  readonly #volume: GainNode;
  readonly #format: PcmFormat;
  /** Converts to the rate of the context: each piece converted by itself would click. Null if that is the audio's. */
  #resampler: Resampler | null = null;
  #scheduled: Scheduled[] = [];
  /** End of the scheduled audio, in seconds of the audio. */
  #end: number;
  #rate = 1;

  /**
   * @param context that is closed with this.
   * @param format of the samples.
   * @param seconds of the audio that is added first.
   * @param connect connects the output node.
   */
  constructor(context: AudioContext, format: PcmFormat, seconds: number, connect: (node: AudioNode) => void) {
    this.context = context;
    this.#format = format;
    this.#end = seconds;
    this.#resample();
    this.#volume = context.createGain();
    connect(this.#volume);
  }

  get isRunning(): boolean {
    return this.context.state === "running";
  }

  get currentTime(): number {
    const now = this.context.currentTime;
    const sounding = this.#scheduled.find((piece) => now < this.#doneAt(piece));
    if (sounding === undefined) return this.#end;
    return sounding.from + Math.max(0, now - sounding.at) * this.#rate;
  }

  /** Seconds of audio ahead of the playhead. */
  get aheadSeconds(): number {
    return Math.max(0, this.#end - this.currentTime);
  }

  setVolume(volume: number): void {
    this.#volume.gain.value = volume;
  }

  /** Sets the speed. The pitch changes with it. */
  setRate(rate: number): void {
    if (!(rate > 0) || rate === this.#rate) return;
    const time = this.currentTime;
    const pieces = this.#from(time);
    this.#rate = rate;
    this.#reschedule(pieces, time);
  }

  /** Adds samples of each channel. */
  add(channels: readonly Int32Array[]): void {
    this.#add(this.#resampler?.push(channels) ?? channels);
  }

  /** No more samples follow, unless after `restart`. */
  end(): void {
    if (this.#resampler !== null) this.#add(this.#resampler.flush());
    this.#resample();
  }

  /** Moves the playhead if that time is scheduled. Returns whether it is. */
  jump(seconds: number): boolean {
    const pieces = this.#from(seconds);
    if (pieces.length === 0 || pieces[0]!.from > seconds) return false;
    this.#reschedule(pieces, seconds);
    return true;
  }

  /** Drops everything. The audio that is added next starts at `seconds`. */
  restart(seconds: number): void {
    this.#silence();
    this.#resample();
    this.#end = seconds;
  }

  /** Gives back what was played. */
  clear(): void {
    const now = this.context.currentTime;
    const played = this.#scheduled.filter((piece) => this.#doneAt(piece) < now);
    for (const { node } of played) node.disconnect();
    this.#scheduled = this.#scheduled.slice(played.length);
  }

  close(): void {
    this.#silence();
    this.#volume.disconnect();
    void this.context.close();
  }

  #resample(): void {
    const { sampleRate, channels, bits } = this.#format;
    const rate = this.context.sampleRate;
    this.#resampler = rate === sampleRate ? null : new Resampler(sampleRate, rate, channels, bits);
  }

  #add(channels: readonly Int32Array[]): void {
    const length = channels[0]!.length;
    if (length === 0) return;
    const buffer = this.context.createBuffer(channels.length, length, this.context.sampleRate);
    const scale = 2 ** (1 - this.#format.bits);
    channels.forEach((samples, channel) => {
      const target = buffer.getChannelData(channel);
      for (let index = 0; index < length; index += 1) target[index] = samples[index]! * scale;
    });
    this.#schedule(buffer, 0);
  }

  /** When a piece was played, by the context's clock. */
  #doneAt({ at, from, to }: Scheduled): number {
    return at + (to - from) / this.#rate;
  }

  #from(seconds: number): Scheduled[] {
    return this.#scheduled.filter(({ to }) => to > seconds);
  }

  #reschedule(pieces: Scheduled[], seconds: number): void {
    const samples = pieces.map(({ node, begin }) => ({ buffer: node.buffer!, begin }));
    this.#silence();
    if (samples.length > 0) this.#end = seconds;
    for (const { buffer, begin } of samples) this.#schedule(buffer, Math.max(0, seconds - begin));
  }

  /** Schedules a piece after the others, without its first `skipped` seconds. */
  #schedule(buffer: AudioBuffer, skipped: number): void {
    const now = this.context.currentTime;
    const last = this.#scheduled.at(-1);
    const follows = last === undefined ? 0 : this.#doneAt(last);
    const at = follows > now ? follows : now + LEAD_SECONDS;
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.playbackRate.value = this.#rate;
    node.connect(this.#volume);
    node.start(at, skipped);
    const from = this.#end;
    this.#end = from + buffer.duration - skipped;
    this.#scheduled.push({ node, at, from, begin: from - skipped, to: this.#end });
  }

  #silence(): void {
    for (const { node } of this.#scheduled) {
      node.stop();
      node.disconnect();
    }
    this.#scheduled = [];
  }
}
