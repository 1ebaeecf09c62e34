import { isRejectedToken, type Access } from "./access.js";
import { EpochChangedError, type AsfError } from "./errors.js";

/** For how long a session joins again after errors without receiving audio, in seconds: as ASF's Python client does. */
const PATIENCE_SECONDS = 60;

/** The same before the stream has started: the listener has just pressed play, and waits. */
const FIRST_PATIENCE_SECONDS = 20;

/** A server may drain for a while before its replacement is up. */
const DRAINING_PATIENCE_SECONDS = 120;

/** Delays double from the first one to the longest; chance takes off up to the half of each. */
const FIRST_DELAY_SECONDS = 1;
const LONGEST_DELAY_SECONDS = 5;

/** Temporary errors whose messages do not say so: those of commands and subscriptions have no `retryable`. */
const TEMPORARY: ReadonlySet<string> = new Set(["ASF_INTERNAL_ERROR", "ASF_RATE_LIMITED", "ASF_SOCKETIO_EMIT_FAILED"]);

/** Returns whether the same request may succeed later, without a change by the application. */
export function isTemporary(error: AsfError): boolean {
  return !(error instanceof EpochChangedError) && (error.retryable || TEMPORARY.has(error.code));
}

/** Delays that double, with jitter, so that those that failed together do not return together. */
export class Backoff {
  readonly #longest: number;
  #delay = FIRST_DELAY_SECONDS;

  /** @param longest delay, in seconds. */
  constructor(longest: number = LONGEST_DELAY_SECONDS) {
    this.#longest = longest;
  }

  /** Returns the next delay in seconds. */
  next(): number {
    const delay = this.#delay;
    this.#delay = Math.min(2 * delay, this.#longest);
    return delay * (1 - Math.random() / 2);
  }

  /** Starts with the first delay again. */
  reset(): void {
    this.#delay = FIRST_DELAY_SECONDS;
  }
}

/** Decides whether and when a session joins again after an error. */
export class Retries {
  readonly #access: Access;
  readonly #wait: boolean;
  readonly #backoff = new Backoff();
  /** When the first error since the last progress came; null for none. */
  #since: number | null = null;

  /** @param wait whether the session waits for its stream to be announced. */
  constructor(access: Access, wait: boolean) {
    this.#access = access;
    this.#wait = wait;
  }

  /** Records progress: audio arrived. */
  renew(): void {
    this.#since = null;
    this.#backoff.reset();
  }

  /** Returns the delay in seconds before joining again; null if `error` is final. */
  next(error: AsfError, hasStarted: boolean): number | null {
    if (isRejectedToken(error)) return this.#access.rejected();
    if (!isTemporary(error)) return null;
    if (error.code === "ASF_STREAM_NOT_FOUND" && !hasStarted) {
      // The server bounds each wait. Mid-stream, a stream may be announced again; without `wait`, this is the answer.
      if (!this.#wait) return null;
      this.renew();
    }
    const now = Date.now();
    this.#since ??= now;
    if ((now - this.#since) / 1000 >= patienceFor(error, hasStarted)) return null;
    // Nothing was read for a while, as on a page that was suspended: the server is not the reason.
    const delay = error.code === "ASF_LISTENER_TOO_SLOW" && now === this.#since ? 0 : this.#backoff.next();
    return Math.max(delay, error.retryAfter ?? 0);
  }
}

function patienceFor(error: AsfError, hasStarted: boolean): number {
  if (error.code === "ASF_DRAINING") return DRAINING_PATIENCE_SECONDS;
  return hasStarted ? PATIENCE_SECONDS : FIRST_PATIENCE_SECONDS;
}
