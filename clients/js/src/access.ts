import { AsfError } from "./errors.js";

/**
 * An access token, or a function that returns the current one (undefined for none), also as a promise. The function is
 * called before each join, each subscription and each request by URL.
 */
export type TokenOption = string | (() => string | undefined | Promise<string | undefined>);

/** Longest time that the application's function may take, in milliseconds. */
const TOKEN_TIMEOUT_MS = 10_000;

/** Delays in seconds before the application is asked for another token after the server rejected one. */
const RENEWAL_DELAYS = [0, 1, 2];

/** The access tokens of one client, as its application gives them. */
export class Tokens {
  readonly #option: TokenOption | undefined;
  #asked: Promise<string | undefined> | null = null;

  constructor(option?: TokenOption) {
    this.#option = option;
  }

  /** Whether the application may give another token after one was rejected. */
  get areRenewable(): boolean {
    return typeof this.#option === "function";
  }

  /**
   * Returns the current token: at once where the application has it at hand, else a promise, which callers share until
   * it is settled.
   *
   * @throws AsfError `ASF_UNAUTHORIZED` (retryable) if the application's function fails or takes longer than 10 s.
   */
  ask(): string | undefined | Promise<string | undefined> {
    if (typeof this.#option !== "function") return this.#option ?? undefined;
    if (this.#asked !== null) return this.#asked;
    let answer: string | undefined | Promise<string | undefined>;
    try {
      answer = this.#option();
    } catch (cause) {
      throw tokenFailure(cause);
    }
    // Pages that are not written in TypeScript return what their storage has: null for none.
    if (!isPromise(answer)) return answer ?? undefined;
    const asked = inTime(answer).finally(() => (this.#asked = null));
    this.#asked = asked;
    return asked;
  }
}

/** The tokens of one session or subscription, over all its requests. */
export class Access {
  readonly #tokens: Tokens;
  #rejected: string | undefined;
  #sent: string | undefined;
  /** Tokens rejected since the server last accepted one. */
  #rejections = 0;
  /** Number of the last request; the answer to an earlier one is not wanted any more. */
  #request = 0;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  /**
   * Calls `send` with the token to send: at once where the application has it at hand. Calls `fail` instead if the
   * application gives none in time, or still the one that the server has rejected. A later request replaces an earlier
   * one that is not answered yet.
   */
  request(send: (token: string | undefined) => void, fail: (error: AsfError) => void): void {
    this.#request += 1;
    const request = this.#request;
    const take = (token: string | undefined): void => {
      if (request !== this.#request) return;
      if (this.#rejections > 0 && token === this.#rejected) {
        fail(rejectedToken());
        return;
      }
      this.#sent = token;
      send(token);
    };
    let answer: string | undefined | Promise<string | undefined>;
    try {
      answer = this.#tokens.ask();
    } catch (error) {
      fail(error as AsfError);
      return;
    }
    if (!isPromise(answer)) take(answer);
    else answer.then(take, (error: unknown) => request === this.#request && fail(error as AsfError));
  }

  /** Drops the request that is not answered yet. */
  cancel(): void {
    this.#request += 1;
  }

  /** The server accepted the token. */
  accepted(): void {
    this.#rejections = 0;
  }

  /** The server rejected the token. Returns the seconds before another one is asked for; null if that is in vain. */
  rejected(): number | null {
    this.#rejected = this.#sent;
    const delay = this.#tokens.areRenewable ? RENEWAL_DELAYS[this.#rejections] : undefined;
    this.#rejections += 1;
    return delay ?? null;
  }
}

/** Whether the server rejected the token, rather than the application's function having failed. */
export function isRejectedToken(error: AsfError): boolean {
  return error.code === "ASF_UNAUTHORIZED" && !error.retryable;
}

function rejectedToken(): AsfError {
  return new AsfError("ASF_UNAUTHORIZED", "A valid token is required.", { details: "The token was rejected before." });
}

function tokenFailure(cause: unknown): AsfError {
  const details = cause instanceof Error ? cause.message : String(cause);
  const options = { retryable: true, details: `The page has no token: ${details}`, cause };
  return new AsfError("ASF_UNAUTHORIZED", "A valid token is required.", options);
}

function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

/** Returns the application's answer, unless it takes too long. Rejects with an `AsfError`. */
async function inTime(answer: Promise<string | undefined>): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    const late = new Error(`There was no answer within ${TOKEN_TIMEOUT_MS / 1000} s.`);
    timer = setTimeout(() => reject(late), TOKEN_TIMEOUT_MS);
  });
  try {
    return (await Promise.race([answer, deadline])) ?? undefined;
  } catch (cause) {
    throw tokenFailure(cause);
  } finally {
    clearTimeout(timer);
  }
}
