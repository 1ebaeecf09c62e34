import { AsfError, clientError } from "../errors.js";
import type { Playback, PlaybackEvents } from "../playback.js";
import type { PlaybackState } from "../state.js";
import { aboutOf, type About } from "./about.js";
import { ConfiguredElement } from "./configuration.js";
import { Controls, type ControlsHost } from "./controls.js";
import type { KeyAction } from "./keys.js";
import { Listening } from "./listening.js";
import {
  claimMediaSession, describeMediaSession, releaseMediaSession, SKIP_SECONDS, updateMediaSession, type MediaTarget,
} from "./media-session.js";
import { endOf, isOver, viewOf, withinEnd, type PlayerFacts } from "./model.js";
import { Transcript } from "./transcript.js";

/** By how much the arrow keys move the playhead, in seconds, and change the volume. */
const KEY_SECONDS = 5;
const KEY_VOLUME = 0.1;

const OBSERVED = ["server", "stream", "title", "artist", "artwork"] as const;

/** Players that play or pause: when one starts, the others pause. */
const started = new Set<AsfPlayerElement>();

/**
 * `<asf-player stream="demo">`: plays a stream of ASF, with controls.
 *
 * Attributes: `stream`; `server` (where this script comes from by default); `wait` for a stream that does not exist yet;
 * `offset` of the first byte to play; `token`; `cues` for a transcript and chapters, `text-tracks` for native ones; and
 * `title`, `artist` and `artwork` instead of those in the stream's metadata. Events: `asf-state` (detail: a
 * {@link PlaybackState}), `asf-error`, `asf-progress`, `asf-control`, `asf-status`, `asf-cues` and `asf-cue` (details:
 * those of {@link PlaybackEvents}). They bubble.
 */
export class AsfPlayerElement extends ConfiguredElement {
  static readonly observedAttributes: readonly string[] = OBSERVED;

  /** The audio element that plays. It is not part of the document. */
  readonly audio: HTMLAudioElement;
  readonly #controls: Controls;
  readonly #transcript: Transcript;
  #listening: Listening | null = null;
  #dragged: number | null = null;
  #failure: AsfError | null = null;
  #restarting = false;

  readonly #media: MediaTarget = {
    play: () => this.play(),
    pause: () => this.pause(),
    skip: (seconds) => this.#skip(seconds),
    seek: (seconds) => this.seek(seconds),
  };

  constructor() {
    super();
    this.audio = document.createElement("audio");
    this.audio.crossOrigin = "anonymous";
    for (const name of ["volumechange", "ratechange"]) this.audio.addEventListener(name, () => this.#renderSound());
    this.#transcript = new Transcript({ cues: () => this.playback?.cues ?? [], seek: (seconds) => this.seek(seconds) });
    this.#controls = new Controls(this.attachShadow({ mode: "open" }), this.#host(), this.#transcript.element);
  }

  /** The current playback; null before the first one, and after `stop`. */
  get playback(): Playback | null {
    return this.#listening?.playback ?? null;
  }

  /** State of the current playback; null before the first one, and after `stop`. */
  get state(): PlaybackState | null {
    return this.#failure === null ? (this.#listening?.state ?? null) : "failed";
  }

  /** Plays: from the beginning, or where it was paused. Call it in the handler of a click or key press. */
  play(): void {
    const listening = this.#listening;
    if (this.#restarting || listening === null || this.#failure !== null || isOver(listening.state)) this.#start(0);
    else {
      listening.resume();
      this.#takeOver();
    }
    this.#render();
  }

  /** Pauses. */
  pause(): void {
    this.#restarting = false;
    this.#listening?.pause();
    this.#render();
  }

  /** Moves the playhead to that time, in seconds; to the end of what exists if it is beyond. Has no effect before audio has arrived. */
  seek(seconds: number): void {
    const listening = this.#listening;
    if (listening === null || !Number.isFinite(seconds)) return;
    const target = withinEnd(seconds, this.#facts());
    const wasEnded = listening.state === "ended";
    if (listening.seek(target) && wasEnded) listening.resume();
    this.#render();
  }

  /** Stops, and gives the connection back. */
  stop(): void {
    const listening = this.#listening;
    this.#restarting = false;
    this.#failure = null;
    this.#listening = null;
    started.delete(this);
    releaseMediaSession(this.#media);
    listening?.stop();
    this.#transcript.clear();
    this.#render();
  }

  /** @internal */
  connectedCallback(): void {
    this.upgrade();
    this.#renderSound();
    this.#describe();
    this.#render();
  }

  /** @internal */
  disconnectedCallback(): void {
    // Moving the element removes it first.
    setTimeout(() => this.isConnected || this.stop());
  }

  /** @internal */
  attributeChangedCallback(name: (typeof OBSERVED)[number], before: string | null, now: string | null): void {
    if (before === now) return;
    if (name === "server" || name === "stream") this.#replaced();
    this.#describe();
    this.#render();
  }

  /** Another stream, or server: plays it if the former one was playing. */
  #replaced(): void {
    const plays = this.#restarting || (this.#listening !== null && this.#listening.wanted && !isOver(this.state));
    this.stop();
    if (!plays || this.stream === "") return;
    // Once, if both attributes change.
    this.#restarting = true;
    queueMicrotask(() => this.#restarting && this.#start(0));
  }

  #start(resumeAt: number): void {
    this.#restarting = false;
    this.#listening?.stop();
    this.#listening = null;
    this.#failure = null;
    this.#transcript.clear();
    if (this.stream === "") return;
    try {
      const { client, server, stream, token, options } = this;
      this.#listening = new Listening({ client, server, stream, token, options, resumeAt }, this.audio, {
        forward: (name, detail) => this.#forward(name, detail),
        changed: () => this.#render(),
      });
    } catch (error) {
      this.#failure = error instanceof AsfError ? error : clientError("ASF_CLIENT_INVALID_ARGUMENT", String(error));
      this.#render();
      this.#dispatch("error", { error: this.#failure });
      return;
    }
    started.add(this);
    this.#takeOver();
    this.#render();
    this.#dispatch("state", this.#listening.state);
  }

  /** Pauses the other players, as two voices at once are never wanted, and takes the media session. */
  #takeOver(): void {
    for (const other of started) if (other !== this) other.pause();
    claimMediaSession(this.#media);
    this.#describe();
  }

  #forward<Name extends keyof PlaybackEvents>(name: Name, detail: PlaybackEvents[Name]): void {
    if (name === "control" || name === "state") this.#describe();
    if (name === "cues") this.#transcript.changed(detail as PlaybackEvents["cues"]);
    if (name === "cue") this.#transcript.passed(detail as PlaybackEvents["cue"]);
    this.#dispatch(name, detail);
  }

  #dispatch<Name extends keyof PlaybackEvents>(name: Name, detail: PlaybackEvents[Name]): void {
    this.dispatchEvent(new CustomEvent(`asf-${name}`, { detail, bubbles: true, composed: true }));
  }

  #facts(): PlayerFacts {
    const listening = this.#listening;
    return {
      state: this.state,
      hasStream: this.stream !== "",
      wanted: listening?.wanted ?? this.#restarting,
      blocked: listening?.blocked ?? false,
      error: this.#failure ?? listening?.error ?? null,
      currentTime: listening?.progress.currentTime ?? 0,
      existingSeconds: listening?.existingSeconds ?? 0,
      totalSeconds: listening?.progress.totalSeconds ?? null,
      generating: listening?.generating ?? false,
      dragged: this.#dragged,
    };
  }

  #render(): void {
    const facts = this.#facts();
    this.#controls.render(viewOf(facts));
    if (facts.state === "paused") this.#transcript.place(facts.currentTime);
    const position = { seconds: facts.currentTime, end: endOf(facts), rate: this.audio.playbackRate };
    updateMediaSession(this.#media, facts.wanted, position);
  }

  #renderSound(): void {
    const { playbackRate: speed, volume, muted } = this.audio;
    this.#controls.renderSound({ speed, volume, muted: muted && this.#listening?.isSilenced !== true });
  }

  /** Shows what is played. Attributes take precedence over the stream's metadata. */
  #describe(): void {
    const overrides: Partial<About> = {};
    for (const name of ["title", "artist", "artwork"] as const) overrides[name] = this.getAttribute(name) ?? "";
    const about = aboutOf(this.#listening?.metadata, overrides, document.baseURI);
    const withCover = this.#listening?.hasPlayed ?? false;
    this.#controls.renderAbout(about, withCover);
    describeMediaSession(this.#media, withCover ? about : { ...about, artwork: "" });
  }

  #toggle(): void {
    const { wanted, state } = this.#facts();
    if (wanted && !isOver(state)) this.pause();
    else this.play();
  }

  #retry(): void {
    const { error, currentTime } = this.#facts();
    this.#start(error?.code === "ASF_EPOCH_CHANGED" ? 0 : currentTime);
    this.#render();
  }

  #skip(seconds: number): void {
    const { state, currentTime } = this.#facts();
    if (state !== null) this.seek((state === "ended" ? endOf(this.#facts()) : currentTime) + seconds);
  }

  #toEnd(): void {
    if (this.#listening?.generating === true) void this.#listening.goLive();
    else this.seek(endOf(this.#facts()));
  }

  #setVolume(volume: number): void {
    this.audio.volume = Math.min(1, Math.max(0, volume));
    this.#renderSound(); // The event comes later: a key may move the slider before it.
  }

  #key(action: KeyAction): void {
    const actions: Record<KeyAction, () => void> = {
      toggle: () => this.#toggle(),
      back: () => this.#skip(-KEY_SECONDS),
      forward: () => this.#skip(KEY_SECONDS),
      skipBack: () => this.#skip(-SKIP_SECONDS),
      skipForward: () => this.#skip(SKIP_SECONDS),
      louder: () => this.#setVolume(this.audio.volume + KEY_VOLUME),
      quieter: () => this.#setVolume(this.audio.volume - KEY_VOLUME),
      mute: () => (this.audio.muted = !this.audio.muted),
      start: () => this.seek(0),
      end: () => this.#toEnd(),
    };
    actions[action]();
  }

  #host(): ControlsHost {
    return {
      toggle: () => this.#toggle(),
      retry: () => this.#retry(),
      skip: (seconds) => this.#skip(seconds),
      seek: (seconds) => this.seek(seconds),
      drag: (seconds) => {
        this.#dragged = seconds;
        this.#render();
      },
      goLive: () => void this.#listening?.goLive(),
      setSpeed: (speed) => {
        this.audio.defaultPlaybackRate = this.audio.playbackRate = speed; // The default outlives the next load.
      },
      setVolume: (volume) => this.#setVolume(volume),
      setMuted: (muted) => (this.audio.muted = muted),
      key: (action) => this.#key(action),
    };
  }
}
