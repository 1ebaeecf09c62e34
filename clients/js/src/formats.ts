import { mp4Boundary, mp4Header, webmBoundary, webmHeader, type BoundaryFinder } from "./containers.js";
import { parseRiff, type PcmFormat } from "./riff.js";

/** How audio is played. */
export type Route =
  | {
      kind: "mse";
      /** For `MediaSource.addSourceBuffer`. */
      mimeType: string;
      /** Length of the header that the decoder needs first, also after a seek; 0 for none. */
      headerBytes: number;
      /** Finds where a decoder can start after a seek; null for anywhere. */
      boundary: BoundaryFinder | null;
    }
  | { kind: "pcm"; format: PcmFormat }
  | { kind: "url" };

const FRAMED: Readonly<Record<string, string>> = {
  "audio/mpeg": "audio/mpeg",
  "audio/mp3": "audio/mpeg",
  "audio/aac": "audio/aac",
  "audio/aacp": "audio/aac",
  "audio/x-aac": "audio/aac",
  "audio/x-hx-aac-adts": "audio/aac",
};
const MP4 = new Set(["audio/mp4", "audio/m4a", "audio/x-m4a", "video/mp4"]);
const WEBM = new Set(["audio/webm", "video/webm"]);
const WAV = new Set(["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"]);

/** Longest header that is waited for. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Returns whether the route depends on the audio's header, from byte 0. */
export function needsHeader(contentType: string): boolean {
  const type = essence(contentType);
  return MP4.has(type) || WEBM.has(type) || WAV.has(type);
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
  if (framed !== undefined) {
    return isTypeSupported(framed) ? { kind: "mse", mimeType: framed, headerBytes: 0, boundary: null } : { kind: "url" };
  }
  const route = routeByHeader(type, head, isTypeSupported);
  return route === "more" && head.length >= MAX_HEADER_BYTES ? { kind: "url" } : route;
}

function routeByHeader(
  type: string,
  head: Uint8Array,
  isTypeSupported: (mimeType: string) => boolean,
): Route | "more" {
  if (WAV.has(type)) {
    const format = parseRiff(head);
    if (format === "more") return format;
    return format === null ? { kind: "url" } : { kind: "pcm", format };
  }
  const [read, container, boundary] = MP4.has(type)
    ? ([mp4Header, "audio/mp4", mp4Boundary] as const)
    : ([webmHeader, "audio/webm", webmBoundary] as const);
  if (!MP4.has(type) && !WEBM.has(type)) return { kind: "url" };
  const header = read(head);
  if (header === "more") return header;
  if (header === null) return { kind: "url" };
  const mimeType = `${container}; codecs="${header.codec}"`;
  return isTypeSupported(mimeType) ? { kind: "mse", mimeType, headerBytes: header.bytes, boundary } : { kind: "url" };
}

function essence(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}
