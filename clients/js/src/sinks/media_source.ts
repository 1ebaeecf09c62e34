import { give } from "./element.js";

type SourceClass = typeof MediaSource;

/**
 * Returns the browser's Media Source: MediaSource, else ManagedMediaSource, which is what iPhones have since iOS 17.1.
 * Null if it has neither.
 */
export function mediaSourceClass(): SourceClass | null {
  const global = globalThis as { MediaSource?: SourceClass; ManagedMediaSource?: SourceClass };
  return global.MediaSource ?? global.ManagedMediaSource ?? null;
}

/** A Media Source that is attached to an audio element. */
export class AttachedSource {
  readonly source: MediaSource;
  /** Called when {@link wantsData} may have changed. */
  onchange: (() => void) | null = null;
  readonly #class: SourceClass;
  readonly #audio: HTMLAudioElement;
  readonly #isManaged: boolean;
  readonly #remotePlayback: boolean | undefined;
  readonly #handlers = new AbortController();
  readonly #url: string;
  #wantsData = true;

  /** Attaches a Media Source to an element; null if the browser has none. Call it in the user's click. */
  static attach(audio: HTMLAudioElement): AttachedSource | null {
    const found = mediaSourceClass();
    return found === null ? null : new AttachedSource(found, audio);
  }

  private constructor(found: SourceClass, audio: HTMLAudioElement) {
    this.#class = found;
    this.#audio = audio;
    this.source = new found();
    this.#isManaged = "streaming" in this.source;
    const { signal } = this.#handlers;
    if (this.#isManaged) {
      this.#remotePlayback = audio.disableRemotePlayback;
      // Without it a managed source opens only if the element has another source that AirPlay can fetch.
      audio.disableRemotePlayback = true;
      this.source.addEventListener("startstreaming", () => this.#want(true), { signal });
      this.source.addEventListener("endstreaming", () => this.#want(audio.seeking), { signal });
      // Some versions of WebKit do not ask for the data that a seek needs (WebKit bug 321919).
      audio.addEventListener("seeking", () => this.#want(true), { signal });
    }
    this.#url = URL.createObjectURL(this.source);
    this.source.addEventListener("sourceopen", () => URL.revokeObjectURL(this.#url), { once: true, signal });
    give(audio, this.#url);
  }

  /**
   * Whether data is to be appended now. A managed source says so, to save energy on phones (W3C Media Source Extensions,
   * section 4); at first it is.
   */
  get wantsData(): boolean {
    return this.#wantsData;
  }

  /** Returns whether the source takes that type. */
  isTypeSupported(mimeType: string): boolean {
    return this.#class.isTypeSupported(mimeType);
  }

  /** Stops listening, and gives the element's remote playback back. The element is to be detached afterwards. */
  close(): void {
    this.#handlers.abort();
    URL.revokeObjectURL(this.#url); // It may not have opened.
    this.onchange = null;
    if (this.#remotePlayback === false) this.#audio.disableRemotePlayback = false;
  }

  #want(data: boolean): void {
    if (data === this.#wantsData) return;
    this.#wantsData = data;
    this.onchange?.();
  }
}
