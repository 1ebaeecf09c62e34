import type { AsfError } from "../errors.js";
import { load } from "./element.js";
import { existingBytes, Refused, StoredCopy, whyFailed, withToken, type StreamUrl } from "./stored.js";
import { isHopeless, requestDelay, type UrlSource } from "./url_rules.js";

/** Interval at which a copy is updated that has too little new audio, in seconds. */
const COPY_POLL_SECONDS = 0.5;

/** New audio that a copy is replaced for, in seconds: each replacement is heard as a short gap. */
const COPY_STEP_SECONDS = 5;

/** Longest wait for an element to get to its place before it plays, in seconds. */
const PATIENCE_SECONDS = 2;

/** Longest distance from the place asked for at which the element need not seek, in seconds. */
const NEAR_SECONDS = 0.1;

/** What a loader reports. */
export interface UrlLoaderHost {
  /** The audio is about to be requested. */
  requesting(): void;
  /** The element was given a source. */
  loaded(): void;
  /** The element can start where it is to: plays, if it is to play. */
  ready(): void;
  /** The element knows the duration. Returns whether it is to start there. */
  described(): boolean;
  /** Returns where the element is, in seconds. */
  position(): number;
  /** The server rejects all requests. */
  failed(error: AsfError): void;
}

/** Gives an element the stream, by its URL or as a copy of what exists, and lets it start at a place. */
export class UrlLoader {
  /** Requests in a row that brought no sound. */
  attempts = 0;
  readonly #audio: HTMLAudioElement;
  readonly #url: StreamUrl;
  readonly #copy: StoredCopy;
  readonly #host: UrlLoaderHost;
  readonly #handlers = new AbortController();
  #request = new AbortController();
  #source: UrlSource = "growing";
  /** Null for where the element is when it is given the source. */
  #place: number | null = 0;
  /** The element has no source yet, is on its way to its place, or plays from there. */
  #step: "requesting" | "loading" | "placed" = "placed";
  /** Bytes in the copy that the element has. */
  #copied = 0;
  #copyUrl = "";
  #retry: (() => void) | undefined;

  constructor(audio: HTMLAudioElement, url: StreamUrl, host: UrlLoaderHost) {
    this.#audio = audio;
    this.#url = url;
    this.#copy = new StoredCopy(url);
    this.#host = host;
    const { signal } = this.#handlers;
    audio.addEventListener("loadedmetadata", () => this.#described(), { signal });
    audio.addEventListener("seeked", () => this.#placed(), { signal });
  }

  /** What the element has, or is given. */
  get source(): UrlSource {
    return this.#source;
  }

  /** Where the element started, or is to start, in seconds. */
  get place(): number {
    return this.#place ?? this.#host.position();
  }

  /** Whether the element has no source yet: what it reports concerns the earlier one. */
  get isRequesting(): boolean {
    return this.#step === "requesting";
  }

  /** Whether the element plays from its place, or could. */
  get isPlaced(): boolean {
    return this.#step === "placed";
  }

  /**
   * Gives the element that source, from `place` on, in seconds; null for where it is by then: some elements that have
   * failed play on what they have. Without a place, one that was asked for before is kept.
   *
   * @param isMore whether a copy is to have more audio than the last one, which was heard.
   * @param isStuck whether the element's connection is dead. Then others of the browser's pool may be as well.
   */
  request(source: UrlSource, place: number | null | undefined = this.#place, isMore = false, isStuck = false): void {
    this.#request.abort();
    this.#request = new AbortController();
    // An element on its way is not where it is to be.
    if (place !== null || this.isPlaced) this.#place = place;
    [this.#source, this.#step] = [source, "requesting"];
    this.#host.requesting();
    void this.#run(isMore, isStuck, this.#request.signal);
  }

  /**
   * Gives an element that has failed with `error` another source, unless it is to blame, or the audio: then the server has
   * the audio, and further requests did not help.
   */
  async repair(source: UrlSource, error: AsfError): Promise<void> {
    const { signal } = this.#request;
    const answer = await whyFailed(this.#url);
    if (signal.aborted) return;
    if (isHopeless(answer, this.attempts)) this.#host.failed(answer?.error ?? error);
    else this.request(source, null);
  }

  /** Starts elsewhere than requested, or moves there. */
  move(seconds: number): void {
    this.#place = seconds;
    if (this.#step !== "requesting") this.#audio.currentTime = seconds;
  }

  /** Repeats a failed request at once. */
  retry(): void {
    this.#retry?.();
  }

  close(): void {
    this.#handlers.abort();
    this.#request.abort();
    URL.revokeObjectURL(this.#copyUrl);
  }

  async #run(isMore: boolean, isStuck: boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.attempts > 0) await this.#wait(requestDelay(this.attempts), signal);
      if (signal.aborted) return;
      this.attempts += 1;
      try {
        const url = await (this.#source === "copy" ? this.#urlOfCopy(isMore, signal) : this.#urlOfStream(isStuck));
        if (!signal.aborted) this.#load(url, signal);
        return;
      } catch (error) {
        // Else the server cannot be reached now.
        if (!signal.aborted && error instanceof Refused && isHopeless(error, this.attempts)) {
          this.#host.failed(error.error);
          return;
        }
      }
    }
  }

  async #urlOfStream(isStuck: boolean): Promise<string> {
    const url = await withToken(this.#url);
    // An element waits for an answer as long as it takes. A question finds a connection that works, and ends dead ones.
    if (isStuck) await existingBytes(() => url);
    return url;
  }

  async #urlOfCopy(isMore: boolean, signal: AbortSignal): Promise<string> {
    // The last copy was heard up to the place.
    const least = isMore ? this.#copied * (1 + COPY_STEP_SECONDS / Math.max(1, this.place)) : 1;
    while (!signal.aborted) {
      await this.#copy.update(signal);
      if (this.#copy.blob.size >= least) break;
      await this.#wait(COPY_POLL_SECONDS, signal);
    }
    if (signal.aborted) return "";
    this.#copied = this.#copy.blob.size;
    URL.revokeObjectURL(this.#copyUrl);
    return (this.#copyUrl = URL.createObjectURL(this.#copy.blob));
  }

  #load(url: string, signal: AbortSignal): void {
    const { place } = this;
    [this.#place, this.#step] = [place, "loading"];
    const { playbackRate } = this.#audio;
    load(this.#audio, place > 0 ? `${url}#t=${place}` : url);
    this.#audio.playbackRate = playbackRate; // Loading has set it to the default.
    this.#host.loaded();
    // Elsewhere than at the beginning it plays only when it is there: some browsers begin with a sound of the beginning.
    // Others load nothing before they play.
    if (place === 0) this.#host.ready();
    else void this.#wait(PATIENCE_SECONDS, signal).then(() => signal.aborted || this.#step === "placed" || this.#host.ready());
  }

  #described(): void {
    const { currentTime, seeking } = this.#audio;
    const { place } = this;
    if (this.#step !== "loading") return;
    if (!this.#host.described()) this.#step = "placed";
    else if (Math.abs(currentTime - place) > NEAR_SECONDS) this.#audio.currentTime = place;
    else if (!seeking) this.#placed();
  }

  #placed(): void {
    if (this.#step !== "loading") return;
    this.#step = "placed";
    if (this.place > 0) this.#host.ready();
  }

  async #wait(seconds: number, signal: AbortSignal): Promise<void> {
    const waited = new AbortController();
    await new Promise<void>((done) => {
      const timer = setTimeout(done, seconds * 1000);
      this.#retry = () => {
        clearTimeout(timer);
        done();
      };
      signal.addEventListener("abort", this.#retry, { signal: waited.signal });
    });
    waited.abort();
    this.#retry = undefined;
  }
}
