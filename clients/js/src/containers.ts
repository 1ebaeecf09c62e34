import { ascii, indexOf } from "./bytes.js";

/** A container's header, which a decoder needs first. */
export interface ContainerHeader {
  /** Length in bytes. */
  bytes: number;
  /** The codec, as in a MIME type's `codecs` parameter. */
  codec: string;
}

const CLUSTER_ID = Uint8Array.of(0x1f, 0x43, 0xb6, 0x75);
const EBML_ID = Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3);
const WEBM_CODECS: readonly (readonly [string, string])[] = [
  ["A_OPUS", "opus"],
  ["A_VORBIS", "vorbis"],
];
const MP4_CODECS: readonly (readonly [string, string])[] = [
  ["mp4a", "mp4a.40.2"],
  ["Opus", "opus"],
  ["fLaC", "flac"],
  [".mp3", "mp3"],
];

/** Parses the header of a WebM file. Returns `"more"` if `bytes` is too short, null if it has no known codec. */
export function webmHeader(bytes: Uint8Array): ContainerHeader | "more" | null {
  if (bytes.length < EBML_ID.length) return "more";
  if (indexOf(bytes.subarray(0, EBML_ID.length), EBML_ID) !== 0) return null;
  const cluster = indexOf(bytes, CLUSTER_ID);
  if (cluster < 0) return "more";
  const codec = codecIn(bytes.subarray(0, cluster), WEBM_CODECS);
  return codec === null ? null : { bytes: cluster, codec };
}

/**
 * Parses the header of a fragmented MP4 file. Returns `"more"` if `bytes` is too short; null if it has no known codec, or
 * is not fragmented, which Media Source does not support.
 */
export function mp4Header(bytes: Uint8Array): ContainerHeader | "more" | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 8 <= bytes.length) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const size = view.getUint32(at);
    if (type === "mdat" || type === "moof" || size < 8) return null;
    const end = at + size;
    if (type === "moov") {
      if (end > bytes.length) return "more";
      const header = bytes.subarray(at, end);
      const codec = codecIn(header, MP4_CODECS);
      return codec === null || indexOf(header, ascii("mvex")) < 0 ? null : { bytes: end, codec };
    }
    at = end;
  }
  return "more";
}

function codecIn(header: Uint8Array, codecs: readonly (readonly [string, string])[]): string | null {
  return codecs.find(([mark]) => indexOf(header, ascii(mark)) >= 0)?.[1] ?? null;
}

/** Returns the index of the first part at which a decoder can start; -1 if there is none. */
export type BoundaryFinder = (bytes: Uint8Array) => number;

/** Finds the first WebM cluster. */
export const webmBoundary: BoundaryFinder = (bytes) => indexOf(bytes, CLUSTER_ID);

/** Finds the first MP4 fragment. */
export const mp4Boundary: BoundaryFinder = (bytes) => {
  const type = ascii("moof");
  for (let at = indexOf(bytes, type, 4); at >= 0; at = indexOf(bytes, type, at + 1)) {
    // The size before the name tells a box from the same letters in audio: a `moof` is always smaller than 1 MiB.
    const size = new DataView(bytes.buffer, bytes.byteOffset + at - 4, 4).getUint32(0);
    if (size > 16 && size < 0x100000) return at - 4;
  }
  return -1;
};

/** Longest part of a boundary's mark that can lie in the next piece, in bytes. */
export const BOUNDARY_BYTES = 8;
