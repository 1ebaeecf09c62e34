import type { Socket } from "socket.io-client";

import { Access } from "./access.js";
import { joined } from "./bytes.js";
import type { Channel, Connections } from "./connections.js";
import { Credit, widerWindow } from "./credit.js";
import { StreamCursor, type Piece } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { AsfError, clientError, EpochChangedError, errorOf, NOTICES } from "./errors.js";
import { needsHeader, routeOf, type Route } from "./formats.js";
import {
  AUDIO_NAMESPACE,
  type AudioControl,
  type ErrorMessage,
  type StartOfStream,
  type StreamStatus,
} from "./protocol.js";
import { retryDelay } from "./retries.js";
import { detach, playElement } from "./sinks/element.js";
import { attachMediaSource, MseSink } from "./sinks/mse.js";
import { PcmSink } from "./sinks/pcm.js";
import type { Sink, SinkHost } from "./sinks/sink.js";
import { UrlSink } from "./sinks/url.js";
import { stateOf, type PlaybackState } from "./state.js";
import { refused } from "./watch.js";

/** How often progress is told and credit is reckoned, in milliseconds. */
const TICK_MS = 250;

export interface PlayOptions {
  /** The stream need not be announced yet (false). */
  wait?: boolean;
  /** The first byte wanted (0). */
  offset?: number;
  /** What `offset` belongs to, as an earlier playback told it; by default the current epoch. */
  epoch?: string;
  /**
   * Where the sound of PCM goes (the loudspeakers). Everything else sounds through the audio element, whatever that is
   * connected to.
   */
  connectPcm?: (node: AudioNode) => void;
}

/** How far a playback has come. */
export interface Progress {
  /** Bytes received, over all connections and seeks. */
  receivedBytes: number;
  /** Seconds of audio ahead of the playhead. */
  aheadSeconds: number;
  /** The playhead, in seconds. */
  currentTime: number;
  /** The next byte wanted. */
  offset: number;
  /** What `offset` belongs to; null before the stream has begun. */
  epoch: string | null;
  /** Bytes of the whole audio; null while that is not known. */
  totalBytes: number | null;
  /** Seconds of the whole audio, reckoned by its rate while it arrives; null while that is not known. */
  totalSeconds: number | null;
}

export interface PlaybackEvents {
  state: PlaybackState;
  /** In state `failed` it is final. `ASF_CLIENT_AUTOPLAY_BLOCKED` is not: `resume()` in a click goes on. */
  error: { error: AsfError };
  /** Four times a second while audio arrives or plays. */
  progress: Progress;
  /** The server's control events, as they come. */
  control: AudioControl;
  /** The server's word on the session, as it comes. */
  status: StreamStatus;
  /** A piece of the audio: put together, these are the stream's bytes. */
  audio: Piece;
}

/** Where to go: seconds of the audio, or bytes of the stream. */
export type SeekTarget = { seconds: number } | { bytes: number };

/** One stream that plays in one audio element, over all connections. */
export class Playback extends Emitter<PlaybackEvents> {
  readonly streamId: string;
  readonly #audio: HTMLAudioElement;
  readonly #url: string;
  readonly #options: PlayOptions;
  readonly #access: Access;
  readonly #cursor: StreamCursor;
  readonly #host: SinkHost;
  readonly #channel: Channel;
  readonly #timer: ReturnType<typeof setInterval>;
  #source: MediaSource | null;
  #credit = new Credit();
  #sink: Sink | null = null;
  #route: Route | null = null;
  #start: StartOfStream | null = null;
  /** The beginning of audio of which the header is not known yet. */
  #head: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Where to go when the header is known; null for straight on. */
  #afterHeader: number | null = null;
  #totalBytes: number | null = null;
  #inSession = false;
  #complete = false;
  #waiting = false;
  #wanted = true;
  #heard = false;
  #stopped = false;
  #failed = false;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #state: PlaybackState = "connecting";

  /** @internal */
  constructor(
    connections: Connections,
    streamId: string,
    audio: HTMLAudioElement,
    url: string,
    options: PlayOptions,
    token: () => string | undefined,
  ) {
    super();
    this.streamId = streamId;
    this.#audio = audio;
    this.#url = url;
    this.#options = options;
    this.#access = new Access(token);
    this.#cursor = new StreamCursor(streamId, options.offset ?? 0, options.epoch ?? null);
    this.#host = {
      changed: () => this.#update(),
      wanted: (playing) => this.#want(playing),
      sought: (seconds) => this.seek({ seconds }),
      failed: (error) => this.#sinkFailed(error),
    };
    // Now, as this may be the only moment in which the browser lets the element begin.
    this.#source = attachMediaSource(audio);
    if (this.#source !== null) void this.#play();
    this.#channel = connections.open(AUDIO_NAMESPACE, (socket) => this.#attach(socket));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** What it is doing. */
  get state(): PlaybackState {
    return this.#state;
  }

  /** How far it has come. */
  get progress(): Progress {
    return {
      receivedBytes: this.#cursor.received,
      aheadSeconds: this.#sink?.aheadSeconds ?? 0,
      currentTime: this.#sink?.currentTime ?? 0,
      offset: this.#cursor.position,
      epoch: this.#cursor.epoch,
      totalBytes: this.#totalBytes,
      totalSeconds: this.#sink?.totalSeconds ?? null,
    };
  }

  /** How the audio is made to sound: Media Source, Web Audio, or the stream's URL; null before that is decided. */
  get output(): Route["kind"] | null {
    return this.#route?.kind ?? null;
  }

  /** Keeps silent until `resume`. What is fetched meanwhile stays within its bounds. */
  pause(): void {
    this.#want(false);
    if (this.#sink === null) this.#audio.pause();
    else this.#sink.pause();
  }

  /** Goes on after a pause, or after the browser let no sound begin. */
  resume(): void {
    this.#want(true);
    void this.#play();
  }

  /**
   * Goes somewhere else, fetching from there unless it is buffered. Seconds are exact in PCM and where they are buffered;
   * elsewhere they are reckoned by the rate of what was heard.
   *
   * @throws AsfError `ASF_CLIENT_NOT_STARTED` before any audio was decoded, `ASF_CLIENT_STOPPED` after its end or failure.
   */
  seek(target: SeekTarget): void {
    if (this.#stopped || this.#failed) throw clientError("ASF_CLIENT_STOPPED", "The playback is over.");
    const sink = this.#sink;
    if (sink === null) throw notStarted();
    const seconds = "seconds" in target ? target.seconds : sink.secondsAt(target.bytes);
    if (seconds === null || !(seconds >= 0)) throw notStarted();
    if (sink.jump(seconds)) {
      this.#update();
      return;
    }
    const offset = "bytes" in target && this.#route?.kind !== "pcm" ? target.bytes : sink.byteAt(seconds);
    if (offset === null) throw notStarted();
    this.#goTo(sink, Math.min(Math.floor(offset), this.#totalBytes ?? Infinity), seconds);
  }

  /** Ends: the element is free again, and the server is told. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    if (this.#inSession) this.#socket.emit("leave_stream", { stream_id: this.streamId });
    this.#channel.close();
    if (this.#sink === null) detach(this.#audio);
    else this.#sink.close();
    this.#update();
  }

  get #socket(): Socket {
    return this.#channel.socket;
  }

  #attach(socket: Socket): void {
    socket.on("connect", () => this.#connected(socket));
    socket.on("connect_error", (error) => {
      if (!socket.active) this.#fail(refused(error));
    });
    socket.on("disconnect", () => {
      this.#inSession = false;
      this.#cursor.disconnected();
      this.#update();
    });
    socket.on("stream_status", (message: StreamStatus) => this.#onStatus(message));
    socket.on("audio_control", (message: AudioControl) => this.#onControl(message));
    socket.on("audio_chunk", (chunk: unknown) => {
      // The server's simulation sends texts.
      if (chunk instanceof ArrayBuffer) this.#onChunk(new Uint8Array(chunk));
    });
    socket.on("stream_error", (message: ErrorMessage) => this.#onError(errorOf(message)));
    socket.on("error", (message: ErrorMessage) => this.#onCommandError(errorOf(message)));
  }

  #connected(socket: Socket): void {
    if (this.#route?.kind === "url") this.#sink?.reconnected();
    else if (!this.#complete && !this.#failed) this.#join(socket);
  }

  #join(socket: Socket): void {
    clearTimeout(this.#retry);
    if (!socket.connected) return; // It joins when it is.
    socket.emit("join_stream", this.#cursor.join(this.#credit.window, this.#options.wait ?? false, this.#access.show()));
    this.#inSession = true;
  }

  #onStatus(message: StreamStatus): void {
    if (message.stream_id !== this.streamId) return;
    if (message.status === "waiting") this.#waiting = true;
    this.emit("status", message);
    this.#update();
  }

  #onControl(message: AudioControl): void {
    if (message.stream_id !== this.streamId) return;
    if (message.event === "start_of_stream") this.#onStart(message);
    else if (this.#cursor.flowing) this.#onEnd(message.total_bytes);
    this.emit("control", message);
    this.#update();
  }

  #onStart(message: StartOfStream): void {
    const epoch = this.#cursor.epoch;
    if (epoch !== null && epoch !== message.epoch) {
      const options = { epoch: message.epoch };
      this.#fail(new EpochChangedError("The audio of this stream was made anew.", options));
      return;
    }
    if (!this.#cursor.start(message.offset, message.epoch)) return;
    this.#start = message;
    this.#setTotal(message.total_bytes);
    this.#credit.restart(message.offset);
    if (this.#route !== null || this.#head.length > 0) return;
    if (message.offset > 0 && needsHeader(message.content_type)) {
      this.#afterHeader = message.offset;
      this.#seekSession(0);
      return;
    }
    this.#decide();
  }

  #onChunk(chunk: Uint8Array<ArrayBuffer>): void {
    const piece = this.#cursor.take(chunk);
    if (piece === null) return;
    this.#attempts = 0;
    if (this.#afterHeader === null) this.emit("audio", piece);
    if (this.#sink === null) {
      this.#head = joined(this.#head, piece.bytes);
      this.#decide();
    } else {
      this.#sink.append(piece.bytes);
    }
    this.#grantCredit();
  }

  #onEnd(totalBytes: number): void {
    this.#setTotal(totalBytes);
    this.#inSession = false;
    if (this.#sink === null && this.#afterHeader === null) this.#use({ kind: "url" });
    this.#complete = true;
    this.#sink?.end();
  }

  #onError(error: AsfError): void {
    this.#inSession = false;
    if (error.code === "ASF_UNAUTHORIZED" && this.#access.isRenewed) {
      this.#cursor.disconnected();
      this.#join(this.#socket);
      return;
    }
    const begun = this.#cursor.epoch !== null || error.code === "ASF_DRAINING"; // It may have been waiting.
    const delay = begun ? retryDelay(error.code, this.#attempts) : null;
    if (delay === null) {
      this.#fail(error);
      return;
    }
    this.#attempts += 1;
    this.#cursor.disconnected();
    this.#retry = setTimeout(() => this.#join(this.#socket), delay * 1000);
  }

  #onCommandError(error: AsfError): void {
    if (error.code === "ASF_INVALID_ACK" || NOTICES.has(error.code)) return; // The ack crossed with a seek.
    if (error.code !== "ASF_NO_SESSION") this.#onError(error);
    // A seek that crossed with the end of its session needs another one.
    else if (this.#inSession && !this.#cursor.flowing) this.#join(this.#socket);
  }

  /** Decides how to play, as soon as enough is known. */
  #decide(): void {
    if (this.#start === null) return;
    const isTypeSupported = (mimeType: string): boolean =>
      this.#source !== null && MediaSource.isTypeSupported(mimeType);
    const route = routeOf(this.#start.content_type, this.#head, isTypeSupported);
    if (route === "more") return;
    if (this.#audio.paused && this.#source !== null) this.#wanted = false;
    this.#use(route);
  }

  #use(route: Route): void {
    this.#route = route;
    const source = this.#source;
    try {
      if (route.kind === "mse" && source !== null) {
        const header = this.#afterHeader === null ? null : this.#head.slice(0, route.headerBytes);
        this.#sink = new MseSink(this.#audio, source, route.mimeType, route.boundary, header, this.#host);
      } else if (route.kind === "pcm") {
        detach(this.#audio);
        this.#sink = new PcmSink(this.#audio, route.format, this.#host, this.#options.connectPcm);
      } else {
        this.#leave();
        this.#sink = new UrlSink(this.#audio, this.#url, this.#host);
      }
    } catch (error) {
      this.#fail(error instanceof AsfError ? error : clientError("ASF_CLIENT_DECODE_FAILED", String(error)));
      return;
    }
    this.#setTotal(this.#totalBytes);
    if (!this.#wanted) this.#sink.pause();
    else if (route.kind !== "mse") void this.#play();
    this.#begin(this.#sink, route);
  }

  /** Gives the sink what came before it was there. */
  #begin(sink: Sink, route: Route): void {
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
    if (this.#route?.kind !== "url") {
      this.#complete = false;
      this.#seekSession(offset);
    }
    this.#update();
  }

  #seekSession(offset: number): void {
    this.#cursor.seek(offset);
    if (this.#inSession) this.#socket.emit("seek_stream", { offset });
    else this.#join(this.#socket);
  }

  #setTotal(bytes: number | null): void {
    this.#totalBytes = bytes;
    if (bytes !== null) this.#sink?.setTotal(bytes);
  }

  #grantCredit(): void {
    const sink = this.#sink;
    if (!this.#cursor.flowing || !this.#inSession) return;
    const received = this.#cursor.position;
    const acknowledged = this.#credit.next({
      received,
      consumed: received - (sink?.pendingBytes ?? 0),
      aheadSeconds: sink?.aheadSeconds ?? 0,
      bytesPerSecond: sink?.bytesPerSecond ?? null,
    });
    if (acknowledged === null) return;
    const wider = widerWindow(this.#credit.window, sink?.bytesPerSecond ?? null);
    if (wider === null) {
      this.#socket.emit("audio_ack", { received: acknowledged });
    } else {
      // A window is for as long as a session, so this is a new one, from the same byte on.
      this.#credit = new Credit(wider);
      this.#join(this.#socket);
    }
  }

  async #play(): Promise<void> {
    try {
      await (this.#sink === null ? playElement(this.#audio) : this.#sink.play());
    } catch (error) {
      this.#blocked(error);
    }
    this.#update();
  }

  #blocked(error: unknown): void {
    if (this.#stopped) return;
    this.#wanted = false;
    this.emit("error", { error: error as AsfError });
    this.#update();
  }

  #want(playing: boolean): void {
    if (this.#stopped) return;
    this.#wanted = playing;
    this.#update();
  }

  #leave(): void {
    if (this.#inSession) this.#socket.emit("leave_stream", { stream_id: this.streamId });
    this.#inSession = false;
    this.#cursor.disconnected();
  }

  #sinkFailed(error: AsfError): void {
    // Media Source is stricter than the element's own player: what never sounded through it may do so by its URL.
    if (this.#route?.kind === "mse" && !this.#heard && this.#inSession && !this.#failed) {
      this.#sink?.close();
      this.#use({ kind: "url" });
    } else {
      this.#fail(error);
    }
  }

  #fail(error: AsfError): void {
    if (this.#failed || this.#stopped) return;
    this.#failed = true;
    clearTimeout(this.#retry);
    this.#leave();
    // What came before is played to its end.
    this.#sink?.end();
    this.#update();
    this.emit("error", { error });
  }

  #tick(): void {
    this.#update();
    if (this.#sink !== null && !this.#sink.ended) this.emit("progress", this.progress);
  }

  #update(): void {
    this.#grantCredit();
    const sink = this.#sink;
    const starved = sink?.starved ?? true;
    if (!starved && this.#wanted) this.#heard = true;
    const state = stateOf({
      failed: this.#failed,
      ended: this.#stopped || (sink?.ended ?? false),
      waiting: this.#waiting,
      started: this.#start !== null,
      wanted: this.#wanted,
      heard: this.#heard,
      starved,
    });
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
    if (state === "ended") this.emit("progress", this.progress);
  }
}

function notStarted(): AsfError {
  return clientError("ASF_CLIENT_NOT_STARTED", "No audio was decoded yet that would tell where this lies.");
}
