/** Interval of beats, in milliseconds. */
const BEAT_MS = 250;

/** Regular calls of `beat` while it runs, and one when a hidden page is shown again: its timers had been slowed down. */
export class Heartbeat {
  readonly #beat: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #handlers: AbortController | undefined;

  constructor(beat: () => void) {
    this.#beat = beat;
  }

  /** Starts or stops. Nothing refers to `beat` while it is stopped. */
  run(isOn: boolean): void {
    if (isOn === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#handlers?.abort();
    // An aborted one keeps what is on the stack now: its reason is an error.
    this.#handlers = this.#timer = undefined;
    if (!isOn) return;
    this.#timer = setInterval(this.#beat, BEAT_MS);
    this.#handlers = new AbortController();
    const { signal } = this.#handlers;
    // Also when the page comes back from the back/forward cache.
    globalThis.addEventListener?.("pageshow", this.#beat, { signal });
    globalThis.document?.addEventListener("visibilitychange", this.#beat, { signal });
  }
}
