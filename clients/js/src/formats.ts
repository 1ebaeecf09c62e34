import { flacHeader, mp4Boundary, mp4Header, oggHeader, webmBoundary, webmHeader } from "./containers.js";
import { wavHeader } from "./wav/header.js";
import { FLAC_IN_MP4 } from "./wav/mp4.js";
import type { Feed } from "./wrapping/feed.js";

/** How audio is played. */
export type Route =
  | {
      kind: "mse";
      /** For `MediaSource.addSourceBuffer`. */
      mimeType: string;
      /** Length of the header without which the audio cannot be entered in its midst; 0 for none. */
      headerBytes: number;
      feed: Feed;
    }
  | {
      kind: "pcm";
      /** Length of what comes before the first sample. */
      headerBytes: number;
    }
  | { kind: "url" };

const FRAMED: Readonly<Record<string, "mpeg" | "aac">> = {
  "audio/mpeg": "mpeg",
  "audio/mp3": "mpeg",
  "audio/aac": "aac",
  "audio/aacp": "aac",
  "audio/x-aac": "aac",
  "audio/x-hx-aac-adts": "aac",
};
/**
 * What elementary streams can be played as, best first. WebKit claims to support AAC without a container, and does not.
 */
const ELEMENTARY = {
  mpeg: ["audio/mpeg", 'audio/mp4; codecs="mp3"'],
  aac: ['audio/mp4; codecs="mp4a.40.2"', "audio/aac"],
} as const;
/** What frames of these codecs can be wrapped into, best first. */
const WRAPPED = {
  opus: ['audio/webm; codecs="opus"', 'audio/mp4; codecs="opus"'],
  vorbis: ['audio/webm; codecs="vorbis"'],
  flac: [FLAC_IN_MP4],
} as const;
const OGG = new Set(["audio/ogg", "application/ogg", "audio/opus", "audio/vorbis", "audio/x-opus+ogg", "audio/x-vorbis+ogg"]);
const FLAC = new Set(["audio/flac", "audio/x-flac"]);
const MP4 = new Set(["audio/mp4", "audio/m4a", "audio/x-m4a", "video/mp4"]);
const WEBM = new Set(["audio/webm", "video/webm"]);
const WAV = new Set(["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"]);

/** Longest header that is waited for. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** First bytes of audio without a header from which its byte rate is known. */
const RATE_BYTES = 64 * 1024;

/**
 * Returns how many of the first bytes are needed to know at which second `offset` is, in audio that consists of frames
 * alone; 0 for other audio.
 */
export function bytesForRate(contentType: string, offset: number): number {
  return essence(contentType) in FRAMED ? Math.min(offset, RATE_BYTES) : 0;
}

/** Returns whether the route depends on the audio's header, from byte 0. */
export function needsHeader(contentType: string): boolean {
  const type = essence(contentType);
  return [MP4, WEBM, OGG, FLAC, WAV].some((types) => types.has(type));
}

/**
 * Decides how to play audio.
 *
 * @param contentType from `start_of_stream`.
 * @param head the first bytes of the audio, where {@link needsHeader} says so.
 * @param isTypeSupported `MediaSource.isTypeSupported`.
 * @returns the route; `"more"` if `head` is too short.
 */
export function routeOf(
  contentType: string,
  head: Uint8Array,
  isTypeSupported: (mimeType: string) => boolean,
): Route | "more" {
  const type = essence(contentType);
  const framed = FRAMED[type];
  if (framed !== undefined) return elementaryRoute(framed, isTypeSupported);
  const route = routeByHeader(type, head, isTypeSupported);
  return route === "more" && head.length >= MAX_HEADER_BYTES ? { kind: "url" } : route;
}

function elementaryRoute(codec: "mpeg" | "aac", isTypeSupported: (mimeType: string) => boolean): Route {
  const mimeType = ELEMENTARY[codec].find(isTypeSupported);
  if (mimeType === undefined) return { kind: "url" };
  const isWrapped = mimeType.startsWith("audio/mp4");
  const feed: Feed = isWrapped ? { kind: "wrapped", framing: codec, codec, container: "mp4" } : { kind: "frames", codec };
  return { kind: "mse", mimeType, headerBytes: 0, feed };
}

function routeByHeader(
  type: string,
  head: Uint8Array,
  isTypeSupported: (mimeType: string) => boolean,
): Route | "more" {
  if (OGG.has(type) || FLAC.has(type)) return wrappedRoute(OGG.has(type) ? "ogg" : "flac", head, isTypeSupported);
  if (WAV.has(type)) {
    const header = wavHeader(head);
    if (header === "more") return header;
    if (header === null) return { kind: "url" };
    const headerBytes = header.bytes;
    if (!isTypeSupported(FLAC_IN_MP4)) return { kind: "pcm", headerBytes };
    return { kind: "mse", mimeType: FLAC_IN_MP4, headerBytes, feed: { kind: "wav" } };
  }
  const [read, container, boundary] = MP4.has(type)
    ? ([mp4Header, "audio/mp4", mp4Boundary] as const)
    : ([webmHeader, "audio/webm", webmBoundary] as const);
  if (!MP4.has(type) && !WEBM.has(type)) return { kind: "url" };
  const header = read(head);
  if (header === "more") return header;
  if (header === null) return { kind: "url" };
  const mimeType = `${container}; codecs="${header.codec}"`;
  if (!isTypeSupported(mimeType)) return { kind: "url" };
  const { bytes: headerBytes, start } = header;
  return { kind: "mse", mimeType, headerBytes, feed: { kind: "container", headerBytes, boundary, start } };
}

function wrappedRoute(
  framing: "ogg" | "flac",
  head: Uint8Array,
  isTypeSupported: (mimeType: string) => boolean,
): Route | "more" {
  const header = framing === "ogg" ? oggHeader(head) : flacHeader(head);
  if (header === "more") return header;
  const mimeType = header === null ? undefined : WRAPPED[header.codec].find(isTypeSupported);
  if (header === null || mimeType === undefined) return { kind: "url" };
  const container = mimeType.startsWith("audio/webm") ? "webm" : "mp4";
  const feed: Feed = { kind: "wrapped", framing, codec: header.codec, container };
  return { kind: "mse", mimeType, headerBytes: header.bytes, feed };
}

function essence(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}
