import { AUDIO_NAMESPACE } from "./protocol.js";

/** The address of a server, which may be below a path of its host. */
export interface Address {
  readonly origin: string;
  /** Path of Socket.IO. */
  readonly socketPath: string;
  /** Returns the URL of a stream. */
  streamUrl(streamId: string): URL;
}

/** Returns the address of the server at `url`, which is relative to `page`. A query and a fragment are ignored. */
export function addressOf(url: string, page?: string): Address {
  const { origin, pathname } = new URL(url, page);
  const path = pathname.replace(/\/+$/, "");
  return {
    origin,
    socketPath: `${path}/socket.io`,
    streamUrl: (streamId) => new URL(`${origin}${path}${AUDIO_NAMESPACE}/${encodeURIComponent(streamId)}`),
  };
}
