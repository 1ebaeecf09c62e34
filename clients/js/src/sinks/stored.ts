import { AsfError, errorOf } from "../errors.js";
import type { ErrorMessage } from "../protocol.js";
import { firstAnswer } from "./first_answer.js";
import type { Answer } from "./url_rules.js";

/** Returns the URL of a stream, with a current token. Throws or rejects with an AsfError if there is none. */
export type StreamUrl = () => string | Promise<string>;

/** A range behind all audio: the answer is 416, and says how much there is (RFC 9110, section 15.5.17). */
const BEHIND_ALL = `bytes=${Number.MAX_SAFE_INTEGER - 1}-`;

/** Longest wait for an answer, or for its next bytes, in milliseconds. */
const PATIENCE_MS = 10_000;

/** A server's answer to a request for a part of a stream: its error, if it rejected the request. */
export class Refused extends Error {
  readonly status: number;
  readonly error: AsfError;

  constructor(status: number, error: AsfError) {
    super(error.message);
    this.status = status;
    this.error = error;
  }
}

/**
 * Returns how many bytes of a stream exist now.
 *
 * @throws Refused if the server rejects the request; TypeError or AbortError if it cannot be reached.
 */
export async function existingBytes(url: StreamUrl): Promise<number> {
  const patience = new Patience();
  const response = await requestPart(url, BEHIND_ALL, patience);
  patience.end();
  return Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? 0);
}

/** Returns what the server says of a stream that an element failed to play. */
export async function whyFailed(url: StreamUrl): Promise<Answer> {
  try {
    await existingBytes(url);
    return { status: 200, error: null };
  } catch (error) {
    return error instanceof Refused ? error : null;
  }
}

/** A copy of what exists of growing audio, which is updated as it grows. */
export class StoredCopy {
  readonly #url: StreamUrl;
  #blob = new Blob([]);
  #etag: string | null = null;

  constructor(url: StreamUrl) {
    this.#url = url;
  }

  /** The bytes fetched so far. */
  get blob(): Blob {
    return this.#blob;
  }

  /**
   * Fetches what was not fetched yet. What arrived before a failure is kept.
   *
   * @throws as {@link existingBytes}.
   */
  async update(signal: AbortSignal): Promise<void> {
    const from = this.#blob.size;
    const patience = new Patience(signal);
    const response = await requestPart(this.#url, `bytes=${from}-${Number.MAX_SAFE_INTEGER - 1}`, patience);
    const etag = response.headers.get("ETag");
    // Bytes of another epoch, or of the complete audio, do not belong to this copy: the session tells of both.
    const isOther = from > 0 && etag !== this.#etag;
    if (response.status !== 206 || isOther || response.body === null) {
      patience.end();
      return;
    }
    this.#etag = etag;
    const type = response.headers.get("Content-Type") ?? "";
    const reader = response.body.getReader();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    try {
      for (;;) {
        const { done, value } = await patience.of(reader.read());
        if (done) break;
        pieces.push(value);
      }
    } finally {
      patience.end();
      this.#blob = new Blob([this.#blob, ...pieces], { type });
    }
  }
}

/** Aborts a request that brings nothing for {@link PATIENCE_MS}, or when `signal` says so. */
export class Patience {
  readonly #aborter = new AbortController();

  constructor(signal?: AbortSignal) {
    if (signal?.aborted) this.#aborter.abort();
    signal?.addEventListener("abort", () => this.#aborter.abort(), { once: true, signal: this.#aborter.signal });
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Ends the request, if it has not ended. */
  end(): void {
    this.#aborter.abort();
  }

  /** Awaits a step of the request. */
  async of<T>(step: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#aborter.abort(), PATIENCE_MS);
    try {
      return await step;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function requestPart(url: StreamUrl, range: string, patience: Patience): Promise<Response> {
  const current = await withToken(url);
  const ask = (signal: AbortSignal): Promise<Response> => fetch(current, { headers: { Range: range }, cache: "no-store", signal });
  const response = await patience.of(firstAnswer(ask, patience.signal));
  if (response.ok || response.status === 416) return response;
  throw new Refused(response.status, await errorIn(response));
}

/**
 * Returns the URL that `url` returns.
 *
 * @throws Refused if it fails, as if the server had rejected the token.
 */
export async function withToken(url: StreamUrl): Promise<string> {
  try {
    return await url();
  } catch (error) {
    throw error instanceof AsfError ? new Refused(401, error) : error;
  }
}

async function errorIn(response: Response): Promise<AsfError> {
  try {
    return errorOf((await response.json()) as ErrorMessage);
  } catch {
    return new AsfError("ASF_INTERNAL_ERROR", `The server answered ${response.status}.`);
  }
}
