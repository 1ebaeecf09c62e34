import { AsfError, clientError } from "./errors.js";
import type { ErrorMessage } from "./protocol.js";

/** What `socket.io-client` tells of a failed request: its status, 0 if there was no response that the page may read. */
interface TransportError extends Error {
  description?: unknown;
  context?: { responseText?: unknown };
}

/** Returns the error of a server at `url` that could not be reached, or did not respond as ASF does. */
export function connectionFailed(url: string, cause?: Error): AsfError {
  const { description, context } = (cause ?? {}) as TransportError;
  const status = typeof description === "number" ? description : 0;
  const answer = status > 0 ? answerIn(context?.responseText) : null;
  if (answer?.error_code?.startsWith("ASF_")) {
    return new AsfError(answer.error_code, answer.message, { retryable: true, details: answer.details, cause });
  }
  return failed(`No ASF server responded at ${url}.`, explanation(url, status, answer, cause), true, cause);
}

/** Returns the error of a page whose Content Security Policy does not allow to connect to `url`. */
export function connectionBlocked(url: string): AsfError {
  const details = `The page's Content Security Policy does not allow it: add ${url} and its WebSocket to connect-src.`;
  return failed(`The page may not connect to ${url}.`, details, false);
}

/** Returns the error of a namespace that the server rejected. */
export function refused(cause: Error): AsfError {
  const { data } = cause as Error & { data?: Partial<ErrorMessage> };
  const options = { details: data?.error_code, cause };
  return clientError("ASF_CLIENT_REFUSED", `The server rejected the connection: ${cause.message}`, options);
}

function failed(message: string, details: string, retryable: boolean, cause?: Error): AsfError {
  return clientError("ASF_CLIENT_CONNECTION_FAILED", message, { retryable, details, cause });
}

function explanation(url: string, status: number, answer: Partial<ErrorMessage> | null, cause?: Error): string {
  if (status > 0) return [`The response was HTTP ${status}.`, answer?.message].filter(Boolean).join(" ");
  if (cause?.message === "server error") return "The response was not that of a Socket.IO server.";
  if (cause?.message === "timeout") return "There was no response in time.";
  if (globalThis.navigator?.onLine === false) return "The browser is offline.";
  if (globalThis.location?.protocol === "https:" && url.startsWith("http:")) {
    return "The page was loaded by https: browsers block most connections by http from there.";
  }
  return "The server is not reachable, or does not allow pages of this origin (ASF_CORS_ALLOWED_ORIGINS).";
}

/** Returns the error in the body of a response; null if it has none. */
function answerIn(body: unknown): ErrorMessage | null {
  try {
    const answer: unknown = JSON.parse(String(body));
    if (typeof answer === "string") return { message: answer };
    const { message } = (answer ?? {}) as Partial<ErrorMessage>;
    return typeof message === "string" ? (answer as ErrorMessage) : null;
  } catch {
    return null;
  }
}
