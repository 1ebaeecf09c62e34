import type { Connections } from "./connections.js";
import type { Piece } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { clientError, type AsfError } from "./errors.js";
import type { Route } from "./formats.js";
import { Output, type SeekTarget } from "./output.js";
import type { AudioControl, StreamStatus } from "./protocol.js";
import { Session } from "./session.js";
import { stateOf, type PlaybackState } from "./state.js";

/** Interval of `progress` events and of credit updates, in milliseconds. */
const TICK_MS = 250;

export interface PlayOptions {
  /** Wait for a stream that does not exist yet (false). */
  wait?: boolean;
  /** Offset of the first byte to play (0). */
  offset?: number;
  /** The epoch that `offset` belongs to, from an earlier playback's progress; the current epoch by default. */
  epoch?: string;
  /** Connects the audio node of PCM (to the speakers). Other formats play through the audio element. */
  connectPcm?: (node: AudioNode) => void;
}

/** Progress of a playback. */
export interface Progress {
  /** Bytes received, over all connections and seeks. */
  receivedBytes: number;
  /** Seconds of audio buffered ahead of the playhead. */
  aheadSeconds: number;
  /** The playhead, in seconds. */
  currentTime: number;
  /** Offset of the next byte to receive. */
  offset: number;
  /** The epoch that `offset` belongs to; null before the stream has started. */
  epoch: string | null;
  /** Size of the complete audio; null while it is unknown. */
  totalBytes: number | null;
  /** Duration of the complete audio, estimated from its byte rate until all has arrived; null while it is unknown. */
  totalSeconds: number | null;
}

export interface PlaybackEvents {
  state: PlaybackState;
  /** Final in state `failed`. `ASF_CLIENT_AUTOPLAY_BLOCKED` is not: call `resume()` in a click. */
  error: { error: AsfError };
  /** Four times a second while audio arrives or plays. */
  progress: Progress;
  /** Every `audio_control` of the server. */
  control: AudioControl;
  /** Every `stream_status` of the server. */
  status: StreamStatus;
  /** A piece of the audio. The pieces concatenated are the stream's bytes. */
  audio: Piece;
}

/** Plays one stream in one audio element, across reconnections. */
export class Playback extends Emitter<PlaybackEvents> {
  readonly streamId: string;
  readonly #output: Output;
  readonly #session: Session;
  readonly #timer: ReturnType<typeof setInterval>;
  #waiting = false;
  #started = false;
  #stopped = false;
  #failed = false;
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
    // First, as the browser may allow the element to play only now.
    this.#output = new Output(audio, url, options.connectPcm, {
      changed: () => this.#update(),
      wanted: (playing) => this.#want(playing),
      sought: (seconds) => this.seek({ seconds }),
      failed: (error) => this.#fail(error),
      blocked: (error) => this.#blocked(error),
      isFetching: () => this.#session.joined && !this.#failed,
      fetch: (offset) => this.#session.seek(offset),
      release: () => this.#session.leave(),
    });
    this.#session = new Session(connections, streamId, options, token, {
      connected: () => this.#output.reconnected(),
      changed: () => this.#update(),
      started: (message) => {
        this.#started = true;
        this.#output.start(message);
      },
      received: (piece) => this.#received(piece),
      completed: (totalBytes) => this.#output.complete(totalBytes),
      control: (message) => {
        this.emit("control", message);
        this.#update();
      },
      status: (message) => {
        if (message.status === "waiting") this.#waiting = true;
        this.emit("status", message);
        this.#update();
      },
      failed: (error) => this.#fail(error),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** The current state. */
  get state(): PlaybackState {
    return this.#state;
  }

  /** The current progress. */
  get progress(): Progress {
    const [session, { sink, totalBytes }] = [this.#session, this.#output];
    return {
      receivedBytes: session.received,
      aheadSeconds: sink?.aheadSeconds ?? 0,
      currentTime: sink?.currentTime ?? 0,
      offset: session.offset,
      epoch: session.epoch,
      totalBytes,
      totalSeconds: sink?.totalSeconds ?? null,
    };
  }

  /** How the audio is played: Media Source, Web Audio, or the stream's URL; null until that is decided. */
  get output(): Route["kind"] | null {
    return this.#output.kind;
  }

  /** Pauses until `resume`. Fetching stops by itself when enough is buffered. */
  pause(): void {
    this.#want(false);
    this.#output.pause();
  }

  /** Continues after a pause, or after the browser blocked autoplay. */
  resume(): void {
    this.#want(true);
    void this.#output.play();
  }

  /**
   * Moves the playhead; fetches from there unless it is buffered. Seconds are exact in PCM and within what is buffered,
   * and estimated from the byte rate elsewhere.
   *
   * @throws AsfError `ASF_CLIENT_NOT_STARTED` before any audio was decoded, `ASF_CLIENT_STOPPED` after `stop` or a failure.
   */
  seek(target: SeekTarget): void {
    if (this.#stopped || this.#failed) throw clientError("ASF_CLIENT_STOPPED", "The playback was stopped or has failed.");
    this.#output.seek(target);
  }

  /** Stops: leaves the stream and detaches the audio element. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#session.close();
    this.#output.close();
    this.#update();
  }

  #received(piece: Piece): void {
    if (!this.#output.isReadingHeader) this.emit("audio", piece);
    this.#output.append(piece.bytes);
    this.#session.grant(this.#output.sink);
  }

  #blocked(error: AsfError): void {
    if (this.#stopped) return;
    this.#output.wanted = false;
    this.emit("error", { error });
    this.#update();
  }

  #want(playing: boolean): void {
    if (this.#stopped) return;
    this.#output.wanted = playing;
    this.#update();
  }

  #fail(error: AsfError): void {
    if (this.#failed || this.#stopped) return;
    this.#failed = true;
    this.#session.leave();
    this.#output.end();
    this.#update();
    this.emit("error", { error });
  }

  #tick(): void {
    this.#update();
    if (this.#output.sink?.ended === false) this.emit("progress", this.progress);
  }

  #update(): void {
    const { sink } = this.#output;
    this.#session.grant(sink);
    const state = stateOf({
      failed: this.#failed,
      ended: this.#stopped || (sink?.ended ?? false),
      waiting: this.#waiting,
      started: this.#started,
      wanted: this.#output.wanted,
      heard: this.#output.hears(),
      underrun: sink?.underrun ?? true,
    });
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
    if (state === "ended") this.emit("progress", this.progress);
  }
}
