/** Silence after which the server is asked for an answer, where it owes something, in milliseconds. */
const FIRST_SILENCE_MS = 2_000;

/** The server pings each 25 s: longer silence is suspicious even if nothing is due. */
const LONGEST_SILENCE_MS = 27_000;

/** Time for an answer, in milliseconds: at first, and at most on a path that has shown to be slow. */
const ANSWER_MS = 2_500;
const LONGEST_ANSWER_MS = 20_000;

/** Interval of checks in milliseconds: while something is due soon, and else. */
const TICK_MS = 500;
const SLOW_TICK_MS = 2_000;

/** Up to this patience, in milliseconds, something is due soon. */
const SOON_MS = 10_000;

/** What a {@link Liveness} watches. */
export interface Watched {
  /** Longest silence before a question, in milliseconds: short where audio should flow. Null while nothing is due. */
  patience(): number | null;
  /** Asks the server for an answer. */
  probe(): void;
  /** The server answered, and has sent nothing else. */
  answered(): void;
  /** No answer came: the path is silent. */
  lost(): void;
}

/**
 * Tells a silent path from a server that has nothing to send.
 *
 * A path may go silent without an end of its connection: when a VPN drops, or a phone leaves its Wi-Fi. The server's pings
 * show that after 45 s only. So after a silence the server is asked for an answer; whatever arrives is one. Unanswered,
 * the connection is lost. On a slow path answers take longer: each loss doubles the time for them, and each answer adapts
 * it.
 */
export class Liveness {
  readonly #watched: Watched;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tickMs = TICK_MS;
  #tickedAt = 0;
  /** Milliseconds of silence; timers that were suspended do not count. */
  #silence = 0;
  /** Milliseconds since the question; null while there is none. */
  #waited: number | null = null;
  /** Silence before the next question: longer after answers by a server that has nothing to send. */
  #interval = FIRST_SILENCE_MS;
  #answerMs = ANSWER_MS;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Starts watching a new connection, or one that is used again. */
  start(): void {
    this.stop();
    this.#silence = 0;
    this.#interval = FIRST_SILENCE_MS;
    this.#schedule();
  }

  /** Stops watching, and gives the timer back. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waited = null;
  }

  /** Something arrived. */
  heard(): void {
    this.#silence = 0;
    if (this.#waited === null) {
      this.#interval = FIRST_SILENCE_MS;
      return;
    }
    this.#answerMs = Math.min(Math.max(ANSWER_MS, 2 * this.#waited), LONGEST_ANSWER_MS);
    this.#interval = Math.min(this.#interval * 1.5, LONGEST_SILENCE_MS);
    this.#waited = null;
    this.#watched.answered();
  }

  /** Asks for an answer now: the path may have changed. */
  check(): void {
    if (this.#timer === undefined) return;
    this.#ask();
    clearTimeout(this.#timer);
    this.#schedule();
  }

  #ask(): void {
    this.#waited = 0;
    this.#watched.probe();
  }

  #schedule(): void {
    const isSlow = this.#waited === null && (this.#watched.patience() ?? Infinity) > SOON_MS;
    this.#tickMs = isSlow ? SLOW_TICK_MS : TICK_MS;
    this.#tickedAt = Date.now();
    this.#timer = setTimeout(() => this.#tick(), this.#tickMs);
  }

  #tick(): void {
    // A page that is in the background, or was suspended, has slow timers.
    const elapsed = Math.min(Math.max(Date.now() - this.#tickedAt, 0), 2 * this.#tickMs);
    if (this.#waited !== null) {
      this.#waited += elapsed;
      if (this.#waited >= this.#answerMs) {
        this.#answerMs = Math.min(2 * this.#answerMs, LONGEST_ANSWER_MS);
        this.stop();
        this.#watched.lost();
        return;
      }
    } else {
      this.#silence += elapsed;
      const patience = this.#watched.patience();
      if (this.#silence >= (patience === null ? LONGEST_SILENCE_MS : Math.min(this.#interval, patience))) this.#ask();
    }
    this.#schedule();
  }
}
