import type { ErrorMessage } from "./protocol.js";

/** Codes of errors raised in the browser. ASF's wire contract lists those of the server. */
export type ClientErrorCode =
  /** The browser blocked autoplay: call `resume()` in a click. */
  | "ASF_CLIENT_AUTOPLAY_BLOCKED"
  /** No ASF server could be reached; `details` says what happened instead. */
  | "ASF_CLIENT_CONNECTION_FAILED"
  /** Growing audio that plays by its URL cannot be sought by bytes. */
  | "ASF_CLIENT_CANNOT_SEEK"
  /** The audio cannot be decoded. */
  | "ASF_CLIENT_DECODE_FAILED"
  /** An argument is invalid. */
  | "ASF_CLIENT_INVALID_ARGUMENT"
  /** The server rejected the namespace: it is not an ASF server, or uses another name. */
  | "ASF_CLIENT_REFUSED"
  /** The playback was stopped or has failed. */
  | "ASF_CLIENT_STOPPED";

/** Further properties of an error. */
export interface AsfErrorOptions {
  /** Whether the same request may succeed later. */
  retryable?: boolean | undefined;
  /** What exactly was wrong, for humans. */
  details?: string | undefined;
  /** With `ASF_EPOCH_CHANGED`: the current epoch of the stream. */
  epoch?: string | undefined;
  /** Offset of the first byte that was not sent. */
  offset?: number | undefined;
  /** Seconds after which a retry may succeed, if the server says. */
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** Base of all errors of this package. `code` is stable; `message` is for humans. */
export class AsfError extends Error {
  override readonly name: string = "AsfError";
  /** A code of the wire contract, or a {@link ClientErrorCode}. */
  readonly code: string;
  readonly retryable: boolean;
  readonly details: string | null;
  readonly offset: number | null;
  readonly retryAfter: number | null;

  constructor(code: string, message: string, options: AsfErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? null;
    this.offset = options.offset ?? null;
    this.retryAfter = options.retryAfter ?? null;
  }
}

/** The audio was regenerated: the bytes received so far belong to an older epoch. */
export class EpochChangedError extends AsfError {
  override readonly name: string = "EpochChangedError";
  /** The current epoch; empty if the server did not say. */
  readonly currentEpoch: string;

  constructor(message: string, options: AsfErrorOptions = {}) {
    super("ASF_EPOCH_CHANGED", message, { ...options, retryable: true });
    this.currentEpoch = options.epoch ?? "";
  }
}

/** Codes of errors that concern the connection, not the stream or the updates that it carries. */
export const NOTICES: ReadonlySet<string> = new Set(["ASF_NOTHING_JOINED", "ASF_SLOWED_DOWN"]);

/** Returns the error that the server sent. */
export function errorOf(message: ErrorMessage): AsfError {
  const options: AsfErrorOptions = {
    retryable: message.retryable,
    details: message.details,
    epoch: message.epoch,
    offset: message.offset,
    retryAfter: message.retry_after,
  };
  if (message.error_code === "ASF_EPOCH_CHANGED") return new EpochChangedError(message.message, options);
  return new AsfError(message.error_code ?? "ASF_INTERNAL_ERROR", message.message, options);
}

/** Returns an error raised in the browser. */
export function clientError(code: ClientErrorCode, message: string, options: AsfErrorOptions = {}): AsfError {
  return new AsfError(code, message, options);
}
