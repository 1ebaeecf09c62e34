import { joined } from "./bytes.js";
import { AsfError, clientError } from "./errors.js";
import { needsHeader, routeOf, type Route } from "./formats.js";
import type { StartOfStream } from "./protocol.js";
import { detach, playElement } from "./sinks/element.js";
import { attachMediaSource, MseSink } from "./sinks/mse.js";
import { PcmSink } from "./sinks/pcm.js";
import type { Sink, SinkHost, SinkState } from "./sinks/sink.js";
import { UrlSink } from "./sinks/url.js";

/** A position to seek to: seconds of the audio, or bytes of the stream. */
export type SeekTarget = { seconds: number } | { bytes: number };

/** What an output reports to its playback, and asks of it. */
export interface OutputHost extends SinkHost {
  /** The browser blocked playing until the user does something. */
  blocked(error: AsfError): void;
  /** Whether the session brings audio now. */
  isFetching(): boolean;
  /** The output needs the bytes from `offset` on. */
  fetch(offset: number): void;
  /** The output needs no more bytes: the element fetches them itself. */
  release(): void;
}

/**
 * Plays the bytes of one stream in one audio element: chooses a sink as soon as the format is known, and passes the
 * bytes on to it.
 */
export class Output {
  /** Whether it is meant to play, rather than to pause. */
  wanted = true;
  readonly #audio: HTMLAudioElement;
  readonly #url: string;
  readonly #connectPcm: ((node: AudioNode) => void) | undefined;
  readonly #host: OutputHost;
  readonly #sinkHost: SinkHost;
  readonly #source: MediaSource | null;
  #contentType: string | null = null;
  /** The beginning of the audio, until a sink is chosen. */
  #head: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset to seek to once the header was read; null where playing starts at the first byte received. */
  #afterHeader: number | null = null;
  #route: Route | null = null;
  #sink: Sink | null = null;
  #totalBytes: number | null = null;
  #heard = false;

  /** Starts to play, so this must run in the handler of the user's click. @param url of the stream, for the URL sink. */
  constructor(
    audio: HTMLAudioElement,
    url: string,
    connectPcm: ((node: AudioNode) => void) | undefined,
    host: OutputHost,
  ) {
    this.#audio = audio;
    this.#url = url;
    this.#connectPcm = connectPcm;
    this.#host = host;
    this.#sinkHost = { ...host, failed: (error) => this.#sinkFailed(error) };
    this.#source = attachMediaSource(audio);
    if (this.#source !== null) void this.play();
  }

  /** How the audio is played; null until that is decided. */
  get kind(): Route["kind"] | null {
    return this.#route?.kind ?? null;
  }

  /** Whether the bytes that arrive are only the header, which the stream's consumer did not ask for. */
  get isReadingHeader(): boolean {
    return this.#afterHeader !== null;
  }

  /** Size of the complete audio; null while it is unknown. */
  get totalBytes(): number | null {
    return this.#totalBytes;
  }

  /** State of the sink; null until one is chosen. */
  get sink(): SinkState | null {
    return this.#sink;
  }

  /** Returns whether there was sound since the start, or since the last seek. To be called whenever something changed. */
  hears(): boolean {
    if (this.wanted && this.#sink?.underrun === false) this.#heard = true;
    return this.#heard;
  }

  async play(): Promise<void> {
    try {
      await (this.#sink === null ? playElement(this.#audio) : this.#sink.play());
    } catch (error) {
      this.#host.blocked(error as AsfError);
    }
    this.#host.changed();
  }

  pause(): void {
    if (this.#sink === null) this.#audio.pause();
    else this.#sink.pause();
  }

  /** Takes the start of the stream, or of the part that follows a seek. */
  start(message: StartOfStream): void {
    this.#contentType = message.content_type;
    this.#setTotal(message.total_bytes);
    if (this.#route !== null || this.#head.length > 0) return;
    if (message.offset > 0 && needsHeader(message.content_type)) {
      this.#afterHeader = message.offset;
      this.#host.fetch(0);
    } else {
      this.#decide();
    }
  }

  /** Takes the bytes that follow the last ones. */
  append(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#sink === null) {
      this.#head = joined(this.#head, bytes);
      this.#decide();
    } else {
      this.#sink.append(bytes);
    }
  }

  /** All bytes were received. */
  complete(totalBytes: number): void {
    this.#setTotal(totalBytes);
    if (this.#sink === null && this.#afterHeader === null) this.#use({ kind: "url" });
    this.end();
  }

  /** No more bytes follow, unless after a seek: plays what was received. */
  end(): void {
    this.#sink?.end();
  }

  /**
   * Moves the playhead, and fetches from there unless it is buffered.
   *
   * @throws AsfError `ASF_CLIENT_NOT_STARTED`
   */
  seek(target: SeekTarget): void {
    const sink = this.#sink;
    if (sink === null) throw notStarted();
    const seconds = "seconds" in target ? target.seconds : sink.secondsAt(target.bytes);
    if (seconds === null || !(seconds >= 0)) throw notStarted();
    if (sink.jump(seconds)) {
      this.#host.changed();
      return;
    }
    const offset = "bytes" in target && this.#route?.kind !== "pcm" ? target.bytes : sink.byteAt(seconds);
    if (offset === null) throw notStarted();
    this.#goTo(sink, Math.min(Math.floor(offset), this.#totalBytes ?? Infinity), seconds);
  }

  /** The connection to the server is open, for the first time or again. */
  reconnected(): void {
    this.#sink?.reconnected();
  }

  /** Stops, and detaches the element. */
  close(): void {
    if (this.#sink === null) detach(this.#audio);
    else this.#sink.close();
  }

  /** Chooses a sink as soon as enough is known. */
  #decide(): void {
    if (this.#contentType === null) return;
    const isTypeSupported = (mimeType: string): boolean =>
      this.#source !== null && MediaSource.isTypeSupported(mimeType);
    const route = routeOf(this.#contentType, this.#head, isTypeSupported);
    if (route === "more") return;
    if (this.#audio.paused && this.#source !== null) this.wanted = false;
    this.#use(route);
  }

  #use(route: Route): void {
    this.#route = route;
    try {
      this.#sink = this.#sinkFor(route);
    } catch (error) {
      this.#host.failed(error instanceof AsfError ? error : clientError("ASF_CLIENT_DECODE_FAILED", String(error)));
      return;
    }
    this.#setTotal(this.#totalBytes);
    if (!this.wanted) this.#sink.pause();
    else if (route.kind !== "mse") void this.play();
    this.#passHead(this.#sink, route);
  }

  #sinkFor(route: Route): Sink {
    const source = this.#source;
    if (route.kind === "mse" && source !== null) {
      const header = this.#afterHeader === null ? null : this.#head.slice(0, route.headerBytes);
      return new MseSink(this.#audio, source, route.mimeType, route.boundary, header, this.#sinkHost);
    }
    if (route.kind === "pcm") {
      detach(this.#audio);
      return new PcmSink(this.#audio, route.format, this.#sinkHost, this.#connectPcm);
    }
    this.#host.release();
    return new UrlSink(this.#audio, this.#url, this.#sinkHost);
  }

  /** Passes on what was received before there was a sink. */
  #passHead(sink: Sink, route: Route): void {
    const head = this.#head;
    this.#head = new Uint8Array(0);
    const target = this.#afterHeader;
    this.#afterHeader = null;
    if (target === null) {
      if (head.length > 0) sink.append(route.kind === "pcm" ? head.subarray(route.format.dataOffset) : head);
    } else if (route.kind !== "url") {
      const seconds = sink.secondsAt(target) ?? 0;
      this.#goTo(sink, sink.byteAt(seconds) ?? target, seconds);
    }
  }

  #goTo(sink: Sink, offset: number, seconds: number): void {
    sink.restart(offset, seconds);
    this.#heard = false;
    if (this.#route?.kind !== "url") this.#host.fetch(offset);
    this.#host.changed();
  }

  #setTotal(bytes: number | null): void {
    this.#totalBytes = bytes;
    if (bytes !== null) this.#sink?.setTotal(bytes);
  }

  #sinkFailed(error: AsfError): void {
    // Media Source is stricter than the element's own player: what made no sound through it may play by its URL.
    if (this.#route?.kind === "mse" && !this.#heard && this.#host.isFetching()) {
      this.#sink?.close();
      this.#use({ kind: "url" });
    } else {
      this.#host.failed(error);
    }
  }
}

function notStarted(): AsfError {
  return clientError("ASF_CLIENT_NOT_STARTED", "Cannot seek before any audio was decoded.");
}
