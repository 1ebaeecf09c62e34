import { AsfError, clientError } from "./errors.js";
import type { Route } from "./formats.js";
import { Opening } from "./opening.js";
import type { StartOfStream } from "./protocol.js";
import { Seeks, type SeekTarget } from "./seeks.js";
import { detach, isTaken, playElement } from "./sinks/element.js";
import type { Sink, SinkHost, SinkState } from "./sinks/sink.js";
import type { StreamUrl } from "./sinks/stored.js";
import { UrlSink } from "./sinks/url.js";

/** Less audio than this is not waited for. */
const LEAST_SECONDS = 0.2;

/** Another sink that starts at the beginning is not told to start nearer to it than this. */
const WORTH_RESUMING_SECONDS = 1;

/** A playhead that is not so far before the end was not moved away from it. */
const AT_END_SECONDS = 0.1;

/** What an output reports to its playback, and asks of it. */
export interface OutputHost extends Omit<SinkHost, "lost"> {
  /** The browser blocked playing until the user does something. */
  blocked(error: AsfError): void;
  /** The page has given the element another source. */
  taken(): void;
  /** The output needs no more bytes, as the element fetches them itself; but it needs to know how the stream ends. */
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
  readonly #host: OutputHost;
  readonly #sinkHost: SinkHost;
  readonly #open: () => Opening;
  readonly #handlers = new AbortController();
  readonly #seeks = new Seeks();
  #opening: Opening;
  #route: Route | null = null;
  #sink: Sink | null = null;
  /** The sink, where the element fetches the audio itself. */
  #urlSink: UrlSink | null = null;
  #totalBytes: number | null = null;
  /** Offset of the first byte to play. */
  #firstOffset = 0;
  #heard = false;
  /** Where the playhead was when that became true, in seconds. */
  #heardFrom = 0;
  /** Whether the playhead has advanced since the sink was made: an element may be ready to play, and then find a fault. */
  #hasPlayed = false;
  /** Where the sink has ended, in seconds; null while it has not. */
  #endedAt: number | null = null;
  /** Why the session has failed, until what was received before was heard. */
  #failure: AsfError | null = null;

  /**
   * Starts to play, so this must run in the handler of the user's click.
   */
  constructor(
    audio: HTMLAudioElement,
    url: StreamUrl,
    connectPcm: ((node: AudioNode) => void) | undefined,
    host: OutputHost,
  ) {
    this.#audio = audio;
    this.#host = host;
    this.#sinkHost = {
      ...host,
      changed: () => this.#changed(),
      // An element pauses when it ends, and may tell it when a seek has left the end already.
      wanted: (playing) => (playing || this.#endedAt === null) && host.wanted(playing),
      failed: (error) => this.#sinkFailed(error),
      lost: (seconds) => this.#sinkLost(seconds),
    };
    this.#open = () => new Opening(audio, url, connectPcm);
    this.#opening = this.#open();
    for (const name of ["emptied", "loadstart"]) {
      audio.addEventListener(name, () => isTaken(audio) && host.taken(), { signal: this.#handlers.signal });
    }
    // Even without a source: an element that was started in a click may be started by a script later on.
    void this.play();
  }

  /** How the audio is played; null until that is decided. */
  get kind(): Route["kind"] | null {
    return this.#route?.kind ?? null;
  }

  /** Whether the bytes that arrive are only the header, which the stream's consumer did not ask for. */
  get isReadingHeader(): boolean {
    return this.#opening.isReadingHeader;
  }

  /** Size of the complete audio; null while it is unknown. */
  get totalBytes(): number | null {
    return this.#totalBytes;
  }

  /** The playhead, in seconds: where the last seek goes to, until that is known. */
  get currentTime(): number {
    return this.#seeks.seconds ?? this.#sink?.currentTime ?? 0;
  }

  /** State of the sink; null until one is chosen. */
  get sink(): SinkState | null {
    return this.#sink;
  }

  /** Whether all audio was played, to its true end. */
  get ended(): boolean {
    return this.#failure === null && (this.#sink?.ended ?? false);
  }

  /** Returns whether there was sound since the start, or since the last seek. To be called whenever something changed. */
  hears(): boolean {
    const sink = this.#sink;
    if (!this.wanted || sink === null || sink.underrun) return this.#heard;
    if (this.#heard) this.#hasPlayed = this.#hasSounded;
    else this.#heardFrom = sink.currentTime;
    this.#heard = true;
    return true;
  }

  async play(): Promise<void> {
    if (this.#sink === null) this.#opening.repeat();
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
    this.#setTotal(message.total_bytes);
    if (this.#route !== null) return;
    const next = this.#opening.start(message);
    if (next !== null) this.#firstOffset = message.offset;
    if (next === "header") this.#host.fetch(0);
    else this.#choose(next);
  }

  /** Takes the bytes that follow the last ones. */
  append(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#sink === null) this.#choose(this.#opening.append(bytes));
    else this.#sink.append(bytes);
  }

  /** All bytes were received. */
  complete(totalBytes: number): void {
    this.#setTotal(totalBytes);
    if (this.#sink === null && !this.isReadingHeader) this.#use({ kind: "url" });
    this.end();
  }

  /** No more bytes follow, unless after a seek: plays what was received. */
  end(): void {
    this.#sink?.end();
  }

  /** The session has failed. What was received before, or what there is for an element that fetches it itself, is heard. */
  fail(error: AsfError): void {
    if (!this.#heard) {
      this.#host.failed(error);
    } else if (this.#urlSink !== null) {
      this.#urlSink.fail(error);
    } else {
      this.#failure = error;
      this.end();
      this.#changed();
    }
  }

  /**
   * Moves the playhead, and fetches from there unless it is buffered; as soon as it is known where that is.
   *
   * @throws AsfError `ASF_CLIENT_CANNOT_SEEK`
   */
  seek(target: SeekTarget): void {
    if (this.#urlSink !== null && "bytes" in target && this.#totalBytes === null) {
      throw clientError("ASF_CLIENT_CANNOT_SEEK", "Growing audio that plays by its URL has no known byte rate. Seek by seconds.");
    }
    this.#seeks.want(target);
    this.#seekIfKnown();
  }

  /** The connection to the server is open, for the first time or again. */
  reconnected(): void {
    this.#sink?.reconnected();
  }

  /** Stops, and detaches the element. */
  close(): void {
    this.#handlers.abort();
    if (this.#sink === null) detach(this.#audio);
    else this.#sink.close();
    this.#opening.close();
  }

  /** Makes a sink, as soon as the route is known. */
  #choose(route: Route | null): void {
    if (route === null) return;
    if (this.#opening.isPaused) this.wanted = false;
    // A page whose policy does not allow `blob:` may still allow the server.
    this.#use(route.kind === "mse" && this.#audio.error !== null ? { kind: "url" } : route);
  }

  #use(route: Route): void {
    this.#route = route;
    try {
      // Growing audio has no known byte rate: by the URL it starts at its beginning.
      if (route.kind === "url" && this.#firstOffset > 0 && this.#totalBytes !== null) this.#seeks.begin({ bytes: this.#firstOffset });
      const sink = this.#opening.sinkFor(route, this.#totalBytes, this.#sinkHost, () => this.#host.release());
      this.#sink = sink;
      this.#urlSink = sink instanceof UrlSink ? sink : null;
    } catch (error) {
      this.#host.failed(error instanceof AsfError ? error : clientError("ASF_CLIENT_DECODE_FAILED", String(error)));
      return;
    }
    this.#setTotal(this.#totalBytes);
    if (!this.wanted) this.#sink.pause();
    else if (route.kind !== "mse") void this.play();
    this.#passHead(this.#sink, route);
    this.#seekIfKnown();
  }

  /** Passes on what was received before there was a sink. */
  #passHead(sink: Sink, route: Route): void {
    const { head, afterHeader: target } = this.#opening.take();
    if (target === null) {
      if (head.length > 0) sink.append(route.kind === "pcm" ? head.subarray(route.headerBytes) : head);
    } else if (route.kind !== "url") {
      const seconds = sink.secondsAt(target);
      this.#goTo(sink, route.kind === "pcm" ? (sink.byteAt(seconds ?? 0) ?? target) : target, seconds);
    }
  }

  #seekIfKnown(): void {
    const sink = this.#sink;
    if (sink === null || this.isReadingHeader) return;
    const made = this.#seeks.make(sink, this.#route?.kind !== "pcm");
    if (made === "jumped") {
      this.#heardFrom = sink.currentTime;
      this.#changed();
    } else if (made !== null) this.#goTo(sink, Math.min(made.offset, this.#totalBytes ?? Infinity), made.seconds, made.isTimeAsked);
  }

  #goTo(sink: Sink, offset: number, seconds: number | null, isTimeAsked = false): void {
    sink.restart(offset, seconds, isTimeAsked);
    this.#heard = false;
    if (this.#failure !== null) this.#host.failed(this.#failure);
    else if (this.#route?.kind !== "url") this.#host.fetch(offset);
    this.#changed();
  }

  #changed(): void {
    this.#seekIfKnown();
    this.#playOn();
    if (this.#failure !== null && this.#isHeardOut) this.#host.failed(this.#failure);
    this.#host.changed();
  }

  /** Whether there was any sound since the sink was made. */
  get #hasSounded(): boolean {
    return this.#hasPlayed || (this.#heard && (this.#sink?.currentTime ?? 0) > this.#heardFrom);
  }

  /** Whether nothing is left to play. */
  get #isHeardOut(): boolean {
    const sink = this.#sink!;
    return sink.ended || (sink.underrun && sink.aheadSeconds < LEAST_SECONDS);
  }

  /** Plays again after a seek from the end, which has paused the element. */
  #playOn(): void {
    const sink = this.#sink;
    if (sink === null || sink.ended) {
      this.#endedAt = sink?.currentTime ?? null;
    } else if (this.#endedAt !== null && !this.#audio.ended && sink.currentTime < this.#endedAt - AT_END_SECONDS) {
      // Played where it still stands at its end, the element would start over.
      this.#endedAt = null;
      if (this.wanted) void this.play();
    }
  }

  #setTotal(bytes: number | null): void {
    this.#totalBytes = bytes;
    if (bytes !== null) this.#sink?.setTotal(bytes);
  }

  #sinkFailed(error: AsfError): void {
    if (isTaken(this.#audio)) {
      this.#host.taken();
    } else if (this.#route?.kind === "mse" && this.#failure === null && !this.#hasSounded) {
      // Media Source is stricter than the element's own player: what made no sound through it may play by its URL.
      const seconds = this.#sink?.currentTime ?? 0;
      this.#sink?.close();
      this.#heard = false;
      if (seconds > WORTH_RESUMING_SECONDS) this.#seeks.begin({ seconds });
      this.#use({ kind: "url" });
    } else {
      this.#host.failed(this.#failure ?? error);
    }
  }

  /** The browser has taken the sink's source away: starts over at that time, paused. */
  #sinkLost(seconds: number): void {
    if (isTaken(this.#audio)) this.#host.taken();
    else if (this.#failure !== null) this.#host.failed(this.#failure);
    else this.#startOver(seconds);
  }

  #startOver(seconds: number): void {
    this.#sink?.close();
    this.#opening.close();
    this.#opening = this.#open();
    [this.#sink, this.#route, this.#endedAt] = [null, null, null];
    this.#heard = this.#hasPlayed = false;
    this.#firstOffset = 0;
    this.#seeks.begin({ seconds });
    this.#host.wanted(false);
    this.#host.fetch(0);
  }
}
