import { addressOf } from "../address.js";
import type { AsfClient } from "../client.js";
import type { AsfError } from "../errors.js";
import type { Playback, PlaybackEvents, PlayOptions, Progress } from "../playback.js";
import type { PlaybackState } from "../state.js";
import { measure } from "./edge.js";
import { Extent } from "./extent.js";
import { borrowClient, shareClient, type SharedClient, type Token } from "./shared.js";

/** How often the server is asked how far growing audio reaches, while the listener is far from the live edge. */
const MEASURE_MS = 15_000;

/** How far before the live edge "Go to live" begins, in seconds: there is audio to start with. */
const LIVE_MARGIN_SECONDS = 3;

/** Longest time that a server, or the page's token, may take to tell how far the audio reaches. */
const LIVE_PATIENCE_MS = 3_000;

/** Distance from the beginning from which a retry continues where it failed, in seconds. */
const WORTH_RESUMING_SECONDS = 5;

/** Forwards a playback's events. */
export interface ListeningHost {
  forward<Name extends keyof PlaybackEvents>(name: Name, detail: PlaybackEvents[Name]): void;
  /** The facts have changed. */
  changed(): void;
}

/** What to listen to. */
export interface Target {
  /** The page's own client; null to share one among players. */
  client: AsfClient | null;
  server: string;
  stream: string;
  token: Token;
  options: PlayOptions;
  /** Where to continue, in seconds; 0 for the beginning. */
  resumeAt: number;
}

/** One stream that is played in a player, from the press on play to its end. */
export class Listening {
  readonly playback: Playback;
  readonly #shared: SharedClient;
  readonly #target: Target;
  readonly #audio: HTMLAudioElement;
  readonly #host: ListeningHost;
  readonly #extent = new Extent();
  readonly #stopped = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  state: PlaybackState;
  error: AsfError | null = null;
  /** It is meant to play, rather than to pause. */
  wanted = true;
  /** The browser blocked playing until the user does something. */
  blocked = false;
  /** The audio is still being generated. */
  generating = false;
  /** It has played. */
  hasPlayed = false;
  /** `metadata` of the stream; null before it has started. */
  metadata: unknown = null;
  #progress: Progress;
  #resumeAt: number;
  /** Whether the element was muted before this muted it; null while this does not mute it. */
  #mutedBefore: boolean | null = null;

  /**
   * Starts to play. To be called in the handler of the user's click.
   *
   * @throws AsfError `ASF_CLIENT_INVALID_ARGUMENT`; TypeError if the server's URL is invalid.
   */
  constructor(target: Target, audio: HTMLAudioElement, host: ListeningHost) {
    this.#target = target;
    this.#audio = audio;
    this.#host = host;
    this.#resumeAt = target.resumeAt > WORTH_RESUMING_SECONDS ? target.resumeAt : 0;
    this.#shared = target.client === null ? shareClient(target.server, target.token) : borrowClient(target.client);
    try {
      this.playback = this.#shared.client.play(target.stream, audio, target.options);
    } catch (error) {
      this.#shared.release();
      throw error;
    }
    if (this.#resumeAt > 0) {
      this.#mutedBefore = audio.muted;
      audio.muted = true;
    }
    this.state = this.playback.state;
    this.#progress = this.playback.progress;
    this.#listen();
    this.#timer = setInterval(() => this.generating && this.wanted && this.#extent.isOpen && void this.#measure(), MEASURE_MS);
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** End of the audio that is known to exist, in seconds. */
  get existingSeconds(): number {
    return this.#extent.seconds;
  }

  /** Whether the element is muted until it has continued where an earlier playback failed. */
  get isSilenced(): boolean {
    return this.#mutedBefore === false;
  }

  resume(): void {
    this.wanted = true;
    this.blocked = false;
    this.playback.resume();
  }

  pause(): void {
    this.wanted = false;
    this.playback.pause();
  }

  /** Moves the playhead. Returns whether it could. */
  seek(seconds: number): boolean {
    try {
      this.playback.seek({ seconds });
      this.#progress = this.playback.progress;
      return true;
    } catch {
      return false; // There is nothing to seek in yet, or any more.
    }
  }

  /** Moves the playhead to what was generated last, and plays. */
  async goLive(): Promise<void> {
    this.resume();
    if (this.#extent.isOpen) await Promise.race([this.#measure(), new Promise((done) => setTimeout(done, LIVE_PATIENCE_MS))]);
    if (!this.#stopped.signal.aborted && this.generating) this.seek(Math.max(0, this.existingSeconds - LIVE_MARGIN_SECONDS));
  }

  /** Ends it, and gives the connection back. */
  stop(): void {
    if (this.#stopped.signal.aborted) return;
    clearInterval(this.#timer);
    this.#unmute();
    this.playback.stop();
    this.#stopped.abort();
    this.#shared.release();
  }

  #listen(): void {
    const { playback } = this;
    const on = <Name extends keyof PlaybackEvents>(name: Name, take: (detail: PlaybackEvents[Name]) => void): void => {
      playback.on(name, (detail) => {
        if (this.#stopped.signal.aborted) return;
        take(detail);
        this.#host.forward(name, detail);
        this.#host.changed();
      });
    };
    on("state", (state) => this.#changed(state));
    on("progress", (progress) => this.#progressed(progress));
    on("error", ({ error }) => this.#failed(error));
    on("control", (message) => {
      if (message.event === "end_of_stream") this.generating = false;
      if (message.event !== "start_of_stream") return;
      this.generating = message.total_bytes === null;
      this.metadata = message.metadata;
    });
    on("status", () => undefined);
    playback.on("cues", (change) => this.#stopped.signal.aborted || this.#host.forward("cues", change));
    playback.on("cue", (transition) => this.#stopped.signal.aborted || this.#host.forward("cue", transition));
  }

  #changed(state: PlaybackState): void {
    this.state = state;
    this.#progress = this.playback.progress;
    if (state === "playing") this.hasPlayed = this.wanted = true;
    if (state === "playing") this.blocked = false;
    if (state === "paused") this.wanted = false;
    if (state === "ended") this.wanted = this.generating = false;
    if (state === "failed") {
      this.wanted = this.generating = false;
      this.#unmute();
    }
    this.#continue();
  }

  #progressed(progress: Progress): void {
    this.#progress = progress;
    if (progress.totalBytes !== null) this.generating = false;
    this.#extent.progress(progress);
    this.#continue();
  }

  #failed(error: AsfError): void {
    this.error = error;
    if (error.code !== "ASF_CLIENT_AUTOPLAY_BLOCKED") return;
    this.blocked = true;
    this.wanted = false;
  }

  /** Continues where an earlier playback failed, as soon as that is possible; silently until then. */
  #continue(): void {
    if (this.#resumeAt === 0 || ["connecting", "waiting", "failed", "ended"].includes(this.state)) return;
    const known = this.#progress.totalSeconds ?? this.existingSeconds;
    if (this.seek(known > 0 && !this.generating ? Math.min(this.#resumeAt, known) : this.#resumeAt)) this.#unmute();
  }

  #unmute(): void {
    this.#resumeAt = 0;
    if (this.#mutedBefore !== null) this.#audio.muted = this.#mutedBefore;
    this.#mutedBefore = null;
  }

  async #measure(): Promise<void> {
    const { server, stream, token } = this.#target;
    const { signal } = this.#stopped;
    const url = addressOf(server, location.href).streamUrl(stream);
    try {
      const shown = (await (typeof token === "function" ? token() : token)) ?? undefined;
      if (shown !== undefined) url.searchParams.set("token", shown);
    } catch {
      return; // The playback reports that there is none.
    }
    const size = await measure(url, signal);
    if (size === null || signal.aborted) return;
    this.#extent.measured(size.bytes);
    if (size.complete) this.generating = false;
    this.#host.changed();
  }
}
