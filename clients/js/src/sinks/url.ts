import { bufferedAhead, detach, mediaError, playElement } from "./element.js";
import type { Sink, SinkHost } from "./sink.js";

/** Lets the element fetch the stream by its URL, for formats that Media Source does not support. */
export class UrlSink implements Sink {
  readonly pendingBytes = 0;
  readonly #audio: HTMLAudioElement;
  readonly #url: string;
  readonly #host: SinkHost;
  readonly #handlers = new AbortController();
  #total: number | null = null;
  #failedAt: number | null = null;

  constructor(audio: HTMLAudioElement, url: string, host: SinkHost) {
    this.#audio = audio;
    this.#url = url;
    this.#host = host;
    const { signal } = this.#handlers;
    for (const name of ["playing", "waiting", "timeupdate", "ended", "canplay", "progress", "seeked"]) {
      audio.addEventListener(name, () => host.changed(), { signal });
    }
    audio.addEventListener("play", () => audio.paused || host.wanted(true), { signal });
    audio.addEventListener("pause", () => !audio.paused || audio.ended || host.wanted(false), { signal });
    audio.addEventListener("error", () => this.#failed(), { signal });
    audio.src = url;
  }

  get currentTime(): number {
    return this.#audio.currentTime;
  }

  get aheadSeconds(): number {
    return bufferedAhead(this.#audio.buffered, this.#audio.currentTime);
  }

  get underrun(): boolean {
    return this.#audio.seeking || this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  get ended(): boolean {
    return this.#audio.ended;
  }

  get totalSeconds(): number | null {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : null;
  }

  get bytesPerSecond(): number | null {
    const { duration } = this.#audio;
    return this.#total === null || !Number.isFinite(duration) || duration === 0 ? null : this.#total / duration;
  }

  append(): void {
    // The element fetches the audio itself.
  }

  end(): void {
    // The element finds the end itself.
  }

  play(): Promise<void> {
    return playElement(this.#audio);
  }

  pause(): void {
    this.#audio.pause();
  }

  jump(seconds: number): boolean {
    this.#audio.currentTime = seconds;
    return true;
  }

  byteAt(seconds: number): number | null {
    return this.bytesPerSecond === null ? null : Math.round(seconds * this.bytesPerSecond);
  }

  secondsAt(offset: number): number | null {
    return this.bytesPerSecond === null ? null : offset / this.bytesPerSecond;
  }

  restart(_offset: number, seconds: number): void {
    this.#audio.currentTime = seconds;
  }

  setTotal(bytes: number): void {
    this.#total = bytes;
  }

  reconnected(): void {
    if (this.#failedAt === null) return;
    const time = this.#failedAt;
    this.#failedAt = null;
    this.#audio.src = this.#url;
    this.#audio.addEventListener("loadedmetadata", () => (this.#audio.currentTime = time), {
      once: true,
      signal: this.#handlers.signal,
    });
    void this.play().catch(() => this.#host.wanted(false));
  }

  close(): void {
    this.#handlers.abort();
    detach(this.#audio);
  }

  #failed(): void {
    if (this.#audio.error === null) return;
    if (this.#audio.error.code === MediaError.MEDIA_ERR_NETWORK) this.#failedAt = this.#audio.currentTime;
    else this.#host.failed(mediaError(this.#audio));
  }
}
