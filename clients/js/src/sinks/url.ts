import type { AsfError } from "../errors.js";
import { bufferedAhead, detach, mediaError, playElement } from "./element.js";
import { Growth } from "./growth.js";
import { Playhead } from "./playhead.js";
import type { Sink, SinkHost } from "./sink.js";
import type { StreamUrl } from "./stored.js";
import { StreamTruth } from "./stream_truth.js";
import { UrlLoader } from "./url_loader.js";
import { afterEnd, endsAt, MAX_ATTEMPTS, SLACK_SECONDS, stuckAfter } from "./url_rules.js";
import { Watchdog } from "./watchdog.js";

/** Seconds of sound after which a request counts as successful. */
const SUCCESS_SECONDS = 1;

/** What a URL sink starts with. */
export interface UrlStart {
  /** Size of the audio; null while it is generated. */
  total: number | null;
  /** Whether the format tells its exact duration. */
  isExact: boolean;
  /** Whether the element was given the URL already, in the user's click. */
  isLoaded: boolean;
  /** Lets the session follow the stream: called before each request, as the audio may have been regenerated. */
  follow(): void;
}

/**
 * Lets the element fetch the stream by its URL, for formats that Media Source does not support.
 *
 * What the element says of the end and of errors is not the stream's truth: `setTotal` and `fail` tell that. Where the
 * element is to continue at its place, growing audio is played from a copy of what exists, because no browser seeks in a
 * response without a length.
 */
export class UrlSink implements Sink {
  readonly pendingBytes = 0;
  readonly #audio: HTMLAudioElement;
  readonly #host: SinkHost;
  readonly #truth: StreamTruth;
  readonly #handlers = new AbortController();
  readonly #loader: UrlLoader;
  readonly #watchdog: Watchdog;
  readonly #growth: Growth;
  readonly #playhead: Playhead;
  #wanted = true;
  /** The element has ended, and a request is to show whether there is more. */
  #confirming = false;
  #ended = false;
  /** The element has all audio of a stream that has failed, or is given it. */
  #hasRest = false;

  constructor(audio: HTMLAudioElement, url: StreamUrl, start: UrlStart, host: SinkHost) {
    this.#audio = audio;
    this.#host = host;
    this.#truth = new StreamTruth(start.total, start.isExact);
    this.#loader = new UrlLoader(audio, url, {
      loaded: () => this.#loaded(),
      ready: () => this.#wanted && void this.play().catch(() => host.wanted(false)),
      described: () => this.#described(),
      requesting: () => start.follow(),
      position: () => this.#playhead.position,
      failed: (error) => this.#failed(error),
    });
    this.#growth = new Growth(url);
    this.#playhead = new Playhead(audio);
    this.#watchdog = new Watchdog(audio, (seconds, hasData) => this.#waits(seconds, hasData));
    const listen = (name: string, listener: () => void): void =>
      audio.addEventListener(name, listener, { signal: this.#handlers.signal });
    for (const name of ["playing", "waiting", "timeupdate", "canplay", "progress", "seeked"]) listen(name, () => this.#moved());
    listen("durationchange", () => this.#noteDuration());
    listen("emptied", () => this.#emptied());
    listen("seeking", () => this.#seeking());
    listen("ended", () => audio.ended && !this.#loader.isRequesting && this.#ranOut());
    listen("error", () => audio.error !== null && !this.#loader.isRequesting && this.#broken());
    listen("play", () => audio.paused || this.#pressed(true));
    listen("pause", () => this.#paused());
    this.#watchdog.run(true);
    if (!start.isLoaded || audio.error !== null) this.#loader.request(this.#truth.isFinal ? "final" : "growing", 0);
    else if (audio.ended) this.#ranOut();
  }

  get currentTime(): number {
    return this.#loader.isPlaced ? this.#playhead.position : this.#loader.place;
  }

  get aheadSeconds(): number {
    return this.#loader.isPlaced ? bufferedAhead(this.#audio.buffered, this.#audio.currentTime) : 0;
  }

  get underrun(): boolean {
    // What the end means is decided by its event, or is being confirmed.
    if (this.#confirming || (this.#audio.ended && this.#loader.isPlaced)) return false;
    if (!this.#loader.isPlaced) return true;
    return this.#audio.seeking || this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get totalSeconds(): number | null {
    return this.#truth.duration;
  }

  get bytesPerSecond(): number | null {
    return this.#truth.bytesPerSecond;
  }

  append(): void {
    // The element fetches the audio itself.
  }

  end(): void {
    // The element finds the end itself.
  }

  play(): Promise<void> {
    this.#want(true);
    return playElement(this.#audio);
  }

  pause(): void {
    this.#want(false);
    this.#audio.pause();
  }

  jump(seconds: number): boolean {
    this.#ended = this.#confirming = false;
    this.#loader.attempts = 0;
    const { source } = this.#loader;
    const canSeek = source === "final" || (source === "copy" && seconds <= this.#audio.duration);
    if (canSeek && this.#audio.error === null) this.#loader.move(seconds);
    else if (this.#truth.incomplete !== null) this.#requestRest(seconds);
    else this.#loader.request(this.#truth.isFinal ? "final" : "copy", seconds);
    return true;
  }

  byteAt(seconds: number): number | null {
    return this.bytesPerSecond === null ? null : Math.round(seconds * this.bytesPerSecond);
  }

  secondsAt(offset: number): number | null {
    return this.bytesPerSecond === null ? null : offset / this.bytesPerSecond;
  }

  restart(_offset: number, seconds: number | null): void {
    this.jump(seconds ?? 0);
  }

  setTotal(bytes: number): void {
    const wasFinal = this.#truth.isFinal;
    this.#truth.total = bytes;
    if (!wasFinal) this.#becameFinal();
  }

  /** The session has failed. Reports that as soon as the audio that exists was heard. */
  fail(error: AsfError): void {
    this.#truth.fail(error);
    const { isRequesting, attempts } = this.#loader;
    if (this.#truth.incomplete !== null && isRequesting) this.#requestRest();
    // What a request brings now, or has brought, may be other audio.
    else if (isRequesting || attempts > 0) this.#reportLost();
  }

  reconnected(): void {
    this.#loader.retry();
  }

  close(): void {
    this.#handlers.abort();
    this.#watchdog.run(false);
    this.#loader.close();
    detach(this.#audio);
  }

  #want(playing: boolean): void {
    this.#wanted = playing;
    this.#watchdog.run(playing && !this.#ended);
  }

  /** The user, or the browser, has started or paused the element. */
  #pressed(playing: boolean): void {
    this.#want(playing);
    this.#host.wanted(playing);
  }

  #paused(): void {
    const { paused, ended, error } = this.#audio;
    // Elements also pause at their end, when they fail, and when they are given another source.
    if (paused && !ended && error === null && !this.#ended && this.#loader.isPlaced) this.#pressed(false);
  }

  #becameFinal(): void {
    if (!this.#loader.isRequesting) return;
    this.#loader.attempts = 0;
    this.#loader.request("final");
  }

  #loaded(): void {
    this.#truth.duration = null;
    this.#playhead.restart(this.#loader.place);
    this.#watchdog.restart();
  }

  #described(): boolean {
    this.#noteDuration();
    const { source, place } = this.#loader;
    if (source !== "final" || place === 0 || !endsAt(place, this.#audio.duration)) return true;
    this.#end();
    return false;
  }

  #noteDuration(): void {
    const { duration, ended } = this.#audio;
    // After a cut connection, some elements take where they ended for the duration.
    if (this.#loader.source !== "copy" && !ended && Number.isFinite(duration)) this.#truth.duration = duration;
  }

  #moved(): void {
    this.#growth.reset();
    const position = this.#loader.isPlaced ? this.#playhead.report() : null;
    if (position !== null && position > this.#loader.place + SUCCESS_SECONDS) {
      this.#loader.attempts = 0;
      this.#confirming = false;
    }
    this.#host.changed();
  }

  /** WebKit empties an element when it keeps its page for the way back, and then gives it its source from 0 on. */
  #emptied(): void {
    const place = this.#playhead.seen;
    if (!this.#loader.isPlaced || this.#ended || place === 0) return;
    this.#pressed(false);
    this.#loader.request(this.#truth.isFinal ? "final" : "copy", place);
  }

  /** The user may have moved the element's own slider. */
  #seeking(): void {
    const { currentTime, error } = this.#audio;
    if (!this.#loader.isPlaced || error !== null) return;
    this.#playhead.restart(currentTime);
    if (this.#ended && Math.abs(currentTime - (this.#truth.duration ?? Infinity)) > SLACK_SECONDS) this.#ended = false;
    if (this.#loader.source === "growing" && currentTime > 0) this.#host.sought(currentTime);
  }

  #ranOut(): void {
    const { place, source, attempts } = this.#loader;
    const position = this.#playhead.end;
    const duration = this.#truth.exactDuration;
    const isFinal = this.#truth.isFinal || this.#truth.total !== null;
    const next = afterEnd({ source, isFinal, position, place, duration, attempts });
    if (next === "end") {
      this.#end();
      return;
    }
    if (this.#reportLost() || this.#endsEarly(position, false)) return;
    this.#confirming = next === "final" && source !== "final";
    this.#loader.request(next, position, source === "copy");
    this.#host.changed();
  }

  /** The true end was heard. */
  #end(): void {
    this.#confirming = false;
    this.#audio.pause();
    this.#ended = true;
    this.#watchdog.run(false);
    this.#host.changed();
  }

  /** Requests all audio of a stream that has failed, from `place` on; null for where the element is by then. */
  #requestRest(place?: number | null): void {
    this.#hasRest = true;
    this.#loader.request("copy", place);
  }

  /**
   * Handles the element's end, or failure, if the stream has failed. The server sends all audio before it cuts the
   * connection, but some elements then drop what they have not played.
   */
  #endsEarly(position: number | null, isBroken: boolean): boolean {
    const { incomplete } = this.#truth;
    if (incomplete === null) return false;
    if (this.#hasRest || (this.#loader.source === "growing" && !isBroken)) this.#failed(incomplete);
    else this.#requestRest(position);
    return true;
  }

  /** Fails if there is no audio left to continue with. Returns whether it did. */
  #reportLost(): boolean {
    const { lost } = this.#truth;
    if (lost !== null) this.#failed(lost);
    return lost !== null;
  }

  #failed(error: AsfError): void {
    this.#watchdog.run(false);
    this.#loader.close();
    this.#audio.pause();
    this.#host.failed(error);
  }

  /** The element has failed. */
  #broken(): void {
    const { source, place } = this.#loader;
    const [position, { isFinal }] = [this.currentTime, this.#truth];
    const error = mediaError(this.#audio);
    if (error.code === "ASF_CLIENT_CONNECTION_FAILED") {
      this.#failed(error);
      return;
    }
    if (this.#reportLost() || this.#endsEarly(null, true)) return;
    // A copy ends anywhere, also within a frame, or before the place that was sought.
    if (source === "copy" && (position > 0 || place > 0)) this.#loader.request(isFinal ? "final" : "copy", null, true);
    else void this.#loader.repair(isFinal ? "final" : position > 0 ? "copy" : "growing", error);
    this.#host.changed();
  }

  /** The element has waited for so many seconds, or has stood still for as long although it has data. */
  #waits(seconds: number, hasData: boolean): void {
    const { isRequesting, source, attempts } = this.#loader;
    const { isFinal, lost, incomplete } = this.#truth;
    if (isRequesting || this.#ended) return;
    if (hasData) {
      // Requests do not help where the sound device, or the page's Web Audio, is what stands still.
      if (attempts < MAX_ATTEMPTS && seconds >= stuckAfter(source, isFinal, attempts)) this.#requestAgain();
      return;
    }
    const hasEnd = isFinal || lost !== null || incomplete !== null;
    if (!hasEnd && source === "growing") void this.#compare();
    else if (seconds < stuckAfter(source, hasEnd, attempts) || this.#reportLost()) return;
    else if (!this.#endsEarly(null, false)) this.#requestAgain();
  }

  #requestAgain(): void {
    this.#loader.request(this.#truth.isFinal ? "final" : "copy", null, false, true);
  }

  /** Audio that grows while the element waits shows that the element's connection is dead. */
  async #compare(): Promise<void> {
    if (!(await this.#growth.look()) || this.#truth.isFinal || this.#truth.incomplete !== null || this.#handlers.signal.aborted) return;
    this.#growth.reset();
    this.#loader.request("copy", null);
  }
}
