/** Repeats something while the page is visible: never twice at the same time, and more rarely while it fails. */

/** An operator waits for a restarted server no longer than this. */
const LONGEST_PAUSE_MS = 15_000;

export class Poller {
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #pauseMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | null = null;
  #failures = 0;
  #active = false;

  /** `work` is repeated `pauseMs` after it has ended. If it rejects, the pause doubles. */
  constructor(work: (signal: AbortSignal) => Promise<void>, pauseMs: number) {
    this.#work = work;
    this.#pauseMs = pauseMs;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#halt();
      else if (this.#active) this.now();
    });
  }

  start(): void {
    this.#active = true;
    this.now();
  }

  stop(): void {
    this.#active = false;
    this.#halt();
  }

  /** Does the work at once, instead of what is under way. */
  now(): void {
    if (!this.#active || document.hidden) return;
    this.#halt();
    const running = (this.#running = new AbortController());
    this.#work(running.signal).then(
      () => this.#ended(running, 0),
      () => this.#ended(running, this.#failures + 1),
    );
  }

  #halt(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = null;
  }

  #ended(run: AbortController, failures: number): void {
    if (this.#running !== run) return; // Another one has begun, or the page is hidden.
    this.#running = null;
    this.#failures = failures;
    this.#timer = setTimeout(() => this.now(), Math.min(this.#pauseMs * 2 ** failures, LONGEST_PAUSE_MS));
  }
}
