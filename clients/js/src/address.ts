import { clientError } from "./errors.js";
import { AUDIO_NAMESPACE, CUES_PATH } from "./protocol.js";

/** The address of a server, which may be below a path of its host. */
export interface Address {
  readonly origin: string;
  /** Path of Socket.IO. */
  readonly socketPath: string;
  /** Returns the URL of a stream. */
  streamUrl(streamId: string): URL;
  /** Returns the URL of a stream's cues. */
  cuesUrl(streamId: string): URL;
}

/**
 * Returns the address of the server at `url`, which is relative to `page`. A query and a fragment are ignored; `ws:` is
 * taken for `http:`.
 *
 * @throws AsfError `ASF_CLIENT_INVALID_ARGUMENT`
 */
export function addressOf(url: string, page?: string): Address {
  const { origin, pathname } = parsed(url.replace(/^ws(s?):/i, "http$1:"), page);
  const path = pathname.replace(/\/+$/, "");
  return {
    origin,
    socketPath: `${path}/socket.io`,
    streamUrl: (streamId) => new URL(`${origin}${path}${AUDIO_NAMESPACE}/${encodeURIComponent(streamId)}`),
    cuesUrl: (streamId) => new URL(`${origin}${path}${CUES_PATH}/${encodeURIComponent(streamId)}`),
  };
}

function parsed(url: string, page?: string): URL {
  try {
    const found = new URL(url, page);
    if (/^https?:$/.test(found.protocol)) return found;
  } catch {
    // It is none.
  }
  throw clientError("ASF_CLIENT_INVALID_ARGUMENT", `The server's URL must be like https://example.com, not ${url}.`);
}
