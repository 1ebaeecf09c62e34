import type { Tokens } from "./access.js";
import type { Connections } from "./connections.js";
import type { Cue, CuesChange, CueTransition } from "./cues/cue.js";
import { LateCues } from "./cues/late_cues.js";
import { PlaybackCues } from "./cues/playback_cues.js";
import type { Piece } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { clientError, type AsfError } from "./errors.js";
import type { Route } from "./formats.js";
import { Heartbeat } from "./heartbeat.js";
import { Output } from "./output.js";
import type { AudioControl, StartOfStream, StreamStatus } from "./protocol.js";
import type { SeekTarget } from "./seeks.js";
import { Session, type SessionHost } from "./session.js";
import type { StreamUrl } from "./sinks/stored.js";
import { isOver, playsOn, stateOf, type PlaybackState } from "./state.js";

export interface PlayOptions {
  /** Wait for a stream that does not exist yet (false). */
  wait?: boolean;
  /** Offset of the first byte to play (0). */
  offset?: number;
  /** The epoch that `offset` belongs to, from an earlier playback's progress; the current epoch by default. */
  epoch?: string;
  /**
   * Connects the Web Audio node of WAV (to the speakers). Called only in browsers whose Media Source does not support
   * FLAC: elsewhere WAV plays through the audio element, as all other formats do.
   */
  connectPcm?: (node: AudioNode) => void;
  /** Receive the stream's cues: its words, sentences and chapters (false). */
  cues?: boolean;
  /**
   * Add the cues to the element as native text tracks, too, one of each kind, hidden (false). Requires `cues`. They do not
   * follow WAV that plays through Web Audio.
   */
  textTracks?: boolean;
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
  /**
   * Duration of the complete audio: from the file's header, unless that proves wrong, else estimated from its byte rate
   * and corrected until all has arrived; null while it is unknown.
   */
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
  /** Cues have come, or have been replaced. */
  cues: CuesChange;
  /** What is heard has entered or left a cue. */
  cue: CueTransition;
}

/** The playback of each element, which it keeps for as long as the element itself is kept. */
const players = new WeakMap<HTMLAudioElement, Playback>();

/** Playbacks that are meant to sound: nothing else may keep an element that is in no document while audio is awaited. */
const sounding = new Set<Playback>();

/** Gives back what belongs to a playback that was thrown away with its element. */
const thrownAway = new FinalizationRegistry<() => void>((release) => release());

function releaseOf(session: Session, heartbeat: Heartbeat): () => void {
  return () => {
    heartbeat.run(false);
    session.close();
  };
}

/** Plays one stream in one audio element, across reconnections. */
export class Playback extends Emitter<PlaybackEvents> {
  readonly streamId: string;
  readonly #output: Output;
  readonly #session: Session;
  readonly #heartbeat: Heartbeat;
  readonly #cues: PlaybackCues | null;
  readonly #lateCues: LateCues | null;
  #waiting = false;
  #started = false;
  #stopped = false;
  #failed = false;
  #state: PlaybackState = "connecting";

  /**
   * Stops what the element played before.
   *
   * @internal
   */
  constructor(
    connections: Connections,
    streamId: string,
    audio: HTMLAudioElement,
    urls: Readonly<Record<"audio" | "cues", StreamUrl>>,
    options: PlayOptions,
    tokens: Tokens,
  ) {
    super();
    this.streamId = streamId;
    players.get(audio)?.stop();
    players.set(audio, this);
    sounding.add(this);
    // First, as the browser may allow the element to play only now.
    this.#output = new Output(audio, urls.audio, options.connectPcm, {
      changed: () => this.#update(),
      wanted: (playing) => this.#want(playing),
      sought: (seconds) => this.#sought(seconds),
      failed: (error) => this.#fail(error),
      blocked: (error) => this.#blocked(error),
      taken: () => this.stop(),
      fetch: (offset) => this.#session.seek(offset),
      release: () => this.#session.follow(),
    });
    this.#cues = options.cues === true ? this.#cuesOf(audio, options.textTracks ?? false) : null;
    const weak = new WeakRef(this);
    this.#session = new Session(connections, streamId, options, tokens, Playback.#hostOf(weak));
    this.#lateCues = options.cues === true ? new LateCues(urls.cues, this.#session) : null;
    this.#heartbeat = Playback.#heartbeatOf(weak);
    this.#heartbeat.run(true);
    thrownAway.register(this, releaseOf(this.#session, this.#heartbeat));
  }

  // The connection and the timer outlive a playback whose element is thrown away, and do not keep it. The functions that
  // they call are made here, as those of one scope keep whatever any of them refers to.

  static #hostOf(weak: WeakRef<Playback>): SessionHost {
    const use = (action: (playback: Playback) => void): void => {
      const playback = weak.deref();
      if (playback !== undefined) action(playback);
    };
    return {
      connected: () => use((playback) => playback.#output.reconnected()),
      changed: () => use((playback) => playback.#update()),
      started: (message) => use((playback) => playback.#start(message)),
      received: (piece) => use((playback) => playback.#received(piece)),
      completed: (totalBytes) => use((playback) => playback.#output.complete(totalBytes)),
      cues: (cues) => use((playback) => playback.#cues?.take(cues)),
      control: (message) => use((playback) => playback.#control(message)),
      status: (message) => use((playback) => playback.#status(message)),
      retrying: () => use((playback) => playback.#update()),
      failed: (error) => use((playback) => playback.#output.fail(error)),
    };
  }

  static #heartbeatOf(weak: WeakRef<Playback>): Heartbeat {
    return new Heartbeat(() => {
      const playback = weak.deref();
      if (playback !== undefined) playback.#beat();
    });
  }

  /** The current state. */
  get state(): PlaybackState {
    return this.#state;
  }

  /** The current progress. */
  get progress(): Progress {
    const [session, { sink, totalBytes, currentTime }] = [this.#session, this.#output];
    return {
      receivedBytes: session.received,
      aheadSeconds: sink?.aheadSeconds ?? 0,
      currentTime,
      offset: session.offset,
      epoch: session.epoch,
      totalBytes,
      totalSeconds: sink?.totalSeconds ?? null,
    };
  }

  /** The cues that have come, in the order of their starts. */
  get cues(): readonly Cue[] {
    return this.#cues?.all ?? [];
  }

  /** The cues that are heard now, in the order of their starts. */
  get activeCues(): readonly Cue[] {
    return this.#cues?.active ?? [];
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
   * Moves the playhead; fetches from there unless it is buffered. Seconds are exact in WAV, where the format has
   * timestamps, and in what was received from the start on; elsewhere they are taken from the file's header, or estimated
   * from the byte rate. Before anything was decoded, and while the byte rate is unknown, the last seek is remembered.
   * After the end it plays again, from there.
   *
   * @throws AsfError `ASF_CLIENT_INVALID_ARGUMENT`; `ASF_CLIENT_STOPPED` after `stop` or a failure; or
   *   `ASF_CLIENT_CANNOT_SEEK` by bytes in growing audio that plays by its URL.
   */
  seek(target: SeekTarget): void {
    if (this.#stopped || this.#failed) throw clientError("ASF_CLIENT_STOPPED", "The playback was stopped or has failed.");
    const [unit, value] = "seconds" in target ? (["seconds", target.seconds] as const) : (["bytes", target.bytes] as const);
    if (!Number.isFinite(value)) throw clientError("ASF_CLIENT_INVALID_ARGUMENT", `Cannot seek to ${value} ${unit}.`);
    const position = Math.max(0, value);
    this.#output.seek(unit === "seconds" ? { seconds: position } : { bytes: position });
    this.#cues?.jumped();
  }

  /** Stops: leaves the stream and detaches the audio element. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#session.close();
    this.#output.close();
    this.#cues?.close();
    this.#update();
  }

  #cuesOf(audio: HTMLAudioElement, hasTracks: boolean): PlaybackCues {
    return new PlaybackCues(audio, hasTracks, {
      position: () => this.#output.currentTime,
      changed: (change) => this.emit("cues", change),
      passed: (transition) => this.emit("cue", transition),
    });
  }

  #start(message: StartOfStream): void {
    this.#started = true;
    this.#output.start(message);
  }

  #received(piece: Piece): void {
    if (!this.#output.isReadingHeader) this.emit("audio", piece);
    this.#output.append(piece.bytes);
    this.#session.grant(this.#output.sink);
  }

  #control(message: AudioControl): void {
    this.emit("control", message);
    this.#update();
  }

  #status(message: StreamStatus): void {
    if (message.status === "waiting") this.#waiting = true;
    this.emit("status", message);
    this.#update();
  }

  #sought(seconds: number): void {
    if (!this.#stopped && !this.#failed) this.seek({ seconds });
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
    this.#session.close();
    this.#output.end();
    this.#update();
    this.emit("error", { error });
  }

  #beat(): void {
    this.#update();
    if (!isOver(this.#state)) this.emit("progress", this.progress);
  }

  #update(): void {
    this.#updateState();
    this.#cues?.update(this.#state);
    this.#lateCues?.run(this.#session.hasEnded && playsOn(this.#state));
  }

  #updateState(): void {
    const { sink } = this.#output;
    this.#session.grant(sink);
    const state = stateOf({
      failed: this.#failed,
      ended: this.#stopped || this.#output.ended,
      waiting: this.#waiting,
      started: this.#started,
      wanted: this.#output.wanted,
      heard: this.#output.hears(),
      underrun: sink?.underrun ?? true,
    });
    if (state === this.#state) return;
    this.#state = state;
    this.#heartbeat.run(!isOver(state));
    if (isOver(state) || state === "paused") sounding.delete(this);
    else sounding.add(this);
    if (state === "ended" && !this.#stopped) this.#session.rest();
    this.emit("state", state);
    if (state === "ended") this.emit("progress", this.progress);
  }
}
