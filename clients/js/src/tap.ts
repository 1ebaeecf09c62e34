import { claim, detach, load } from "./sinks/element.js";
import { AttachedSource } from "./sinks/media_source.js";
import { deviceContext, unlock } from "./sinks/schedule.js";
import type { StreamUrl } from "./sinks/stored.js";
import { FLAC_IN_MP4 } from "./wav/mp4.js";

/**
 * What has to happen in the user's click, before anything is known of the stream: phones let an element play only if it
 * was started in one. Later on, scripts may give that element other sources and play it.
 */
export class Tap {
  /** The Media Source that the element has; null where the browser has none. */
  readonly source: AttachedSource | null;
  readonly #audio: HTMLAudioElement;
  #isLoaded = false;
  #context: AudioContext | null;

  /** Gives the element a source: without a Media Source, the stream's URL, if its token is known. */
  constructor(audio: HTMLAudioElement, url: StreamUrl) {
    this.#audio = audio;
    claim(audio);
    this.source = AttachedSource.attach(audio);
    if (this.source === null) this.#load(url);
    // What the page had in it would play until there is a token.
    if (this.source === null && !this.#isLoaded && audio.src !== "") detach(audio);
    const needsWebAudio = !this.isTypeSupported(FLAC_IN_MP4) && !this.isLeftTo("audio/wav");
    // At the device's rate, as that of the audio is not known yet.
    this.#context = needsWebAudio ? deviceContext() : null;
    this.repeat();
  }

  /** Another click, before there was a sink. */
  repeat(): void {
    if (this.#context !== null) unlock(this.#context);
  }

  /** Whether the element has the stream's URL. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether the user has paused the element since. */
  get isPaused(): boolean {
    const hasSource = this.source !== null || this.#isLoaded;
    return hasSource && this.#audio.error === null && this.#audio.paused;
  }

  /** Returns whether the element's Media Source takes that type. */
  isTypeSupported(mimeType: string): boolean {
    return this.source?.isTypeSupported(mimeType) ?? false;
  }

  /**
   * Whether the element itself is to play audio of that type: without a Media Source, it is what the click has started.
   * Web Audio would be silent on phones.
   */
  isLeftTo(contentType: string): boolean {
    return this.source === null && this.#audio.canPlayType(contentType) !== "";
  }

  /** Hands over the AudioContext that was started in the click, where WAV needs one; null if there is none. */
  takeContext(): AudioContext | null {
    const context = this.#context;
    this.#context = null;
    return context;
  }

  /** Gives the AudioContext back, unless it was handed over. */
  dropContext(): void {
    void this.takeContext()?.close();
  }

  /** Gives back what no sink has. */
  close(): void {
    this.source?.close();
    this.dropContext();
  }

  #load(url: StreamUrl): void {
    try {
      const known = url();
      this.#isLoaded = typeof known === "string";
      if (typeof known === "string") load(this.#audio, known);
      else known.catch(() => undefined);
    } catch {
      // There is no token now. The session reports that, and there may be one when the stream has started.
    }
  }
}
