import type { ErrorMessage } from "./protocol.js";

/** Codes of errors that arise in the browser; those of the server are listed in ASF's wire contract. */
export type ClientErrorCode =
  /** The browser lets no sound begin before the user did something on the page: call `resume()` in a click. */
  | "ASF_CLIENT_AUTOPLAY_BLOCKED"
  /** The audio cannot be decoded. */
  | "ASF_CLIENT_DECODE_FAILED"
  /** An argument has a value that it cannot have. */
  | "ASF_CLIENT_INVALID_ARGUMENT"
  /** Nothing has begun yet that could be sought in. */
  | "ASF_CLIENT_NOT_STARTED"
  /** The server refused the namespace: it does not speak ASF, or not under this name. */
  | "ASF_CLIENT_REFUSED"
  /** The playback was stopped, or the watch or the client closed. */
  | "ASF_CLIENT_STOPPED";

/** What a failure has to say beside its message. */
export interface AsfErrorOptions {
  /** Whether the same may succeed later. */
  retryable?: boolean | undefined;
  /** What exactly was wrong, for a person. */
  details?: string | undefined;
  /** With `ASF_EPOCH_CHANGED`: the current epoch of the stream. */
  epoch?: string | undefined;
  /** The first byte that was not sent. */
  offset?: number | undefined;
  cause?: unknown;
}

/** Every error of this package. `code` is stable; `message` is for a person. */
export class AsfError extends Error {
  override readonly name: string = "AsfError";
  /** A code of the wire contract, or a {@link ClientErrorCode}. */
  readonly code: string;
  readonly retryable: boolean;
  readonly details: string | null;
  readonly offset: number | null;

  constructor(code: string, message: string, options: AsfErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? null;
    this.offset = options.offset ?? null;
  }
}

/** The audio was made anew: what was heard so far belongs to another epoch than the current one. */
export class EpochChangedError extends AsfError {
  override readonly name: string = "EpochChangedError";
  /** The epoch to join with now; empty where the server did not say. */
  readonly currentEpoch: string;

  constructor(message: string, options: AsfErrorOptions = {}) {
    super("ASF_EPOCH_CHANGED", message, { ...options, retryable: true });
    this.currentEpoch = options.epoch ?? "";
  }
}

/** Codes of what a server says of a connection as such. Nothing that it carries is concerned, now or on the next one. */
export const NOTICES: ReadonlySet<string> = new Set(["ASF_NOTHING_JOINED", "ASF_SLOWED_DOWN"]);

/** Returns the error that a message of the server stands for. */
export function errorOf(message: ErrorMessage): AsfError {
  const options: AsfErrorOptions = {
    retryable: message.retryable,
    details: message.details,
    epoch: message.epoch,
    offset: message.offset,
  };
  if (message.error_code === "ASF_EPOCH_CHANGED") return new EpochChangedError(message.message, options);
  return new AsfError(message.error_code ?? "ASF_INTERNAL_ERROR", message.message, options);
}

/** Returns the error of a browser's own making. */
export function clientError(code: ClientErrorCode, message: string, options: AsfErrorOptions = {}): AsfError {
  return new AsfError(code, message, options);
}
