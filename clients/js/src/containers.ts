import { ascii, indexOf } from "./bytes.js";

/** A container's header, which a decoder needs first. */
export interface ContainerHeader {
  /** Length in bytes. */
  bytes: number;
  /** The codec, as in a MIME type's `codecs` parameter. */
  codec: string;
  /** Timestamp of the first audio, in seconds: recordings of something that runs do not start at 0. */
  start: number;
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

const TIMESTAMP_SCALE_ID = Uint8Array.of(0x2a, 0xd7, 0xb1);
const TIMESTAMP_ID = 0xe7;
const DEFAULT_TIMESTAMP_SCALE = 1_000_000;

/**
 * Parses the header of a WebM file, and the timestamp of its first cluster (RFC 9559, section 11). Returns `"more"` if
 * `bytes` is too short, null if it has no known codec.
 */
export function webmHeader(bytes: Uint8Array): ContainerHeader | "more" | null {
  if (bytes.length < EBML_ID.length) return "more";
  if (indexOf(bytes.subarray(0, EBML_ID.length), EBML_ID) !== 0) return null;
  const cluster = indexOf(bytes, CLUSTER_ID);
  if (cluster < 0) return "more";
  const header = bytes.subarray(0, cluster);
  const codec = codecIn(header, WEBM_CODECS);
  if (codec === null) return null;
  const timestamp = clusterTimestamp(bytes, cluster);
  if (timestamp === "more") return timestamp;
  const scale = indexOf(header, TIMESTAMP_SCALE_ID);
  const nanoseconds = scale < 0 ? DEFAULT_TIMESTAMP_SCALE : ebmlValue(header, scale + TIMESTAMP_SCALE_ID.length);
  return { bytes: cluster, codec, start: (timestamp * nanoseconds) / 1e9 };
}

/** Returns the timestamp of the cluster at `at`, which is one of its first elements; 0 if it has none. */
function clusterTimestamp(bytes: Uint8Array, at: number): number | "more" {
  let next = at + CLUSTER_ID.length;
  next += ebmlLength(bytes[next] ?? 0);
  for (let element = 0; element < 4; element += 1) {
    // Elements before it have a size of one byte: a checksum, padding.
    if (next + 10 > bytes.length) return "more";
    if (bytes[next] === TIMESTAMP_ID) return ebmlValue(bytes, next + 1);
    next += 2 + (bytes[next + 1]! & 0x7f);
  }
  return 0;
}

/** Returns the number of bytes of a size that starts with that byte (RFC 8794, section 4). */
function ebmlLength(first: number): number {
  return Math.clz32(first) - 23;
}

/** Returns the unsigned integer whose size stands at `at`. */
function ebmlValue(bytes: Uint8Array, at: number): number {
  const size = bytes[at]! & 0x7f;
  return bytes.subarray(at + 1, at + 1 + size).reduce((value, byte) => value * 256 + byte, 0);
}

/** tfhd: offsets count from the start of the file (ISO/IEC 14496-12, section 8.8.7). */
const BASE_DATA_OFFSET_PRESENT = 1;

/**
 * Parses the header of a fragmented MP4 file, and the time of its first fragment. Returns `"more"` if `bytes` is too
 * short; null if it has no known codec, or is what Media Source does not support: not fragmented, or with offsets from the
 * start of the file (W3C, "ISO BMFF Byte Stream Format", section 4).
 */
export function mp4Header(bytes: Uint8Array): ContainerHeader | "more" | null {
  let header: Uint8Array | null = null;
  let end = 0;
  for (const { type, start, size } of boxes(bytes)) {
    if (type === "moov") {
      if (start + size > bytes.length) return "more";
      header = bytes.subarray(start, start + size);
      end = start + size;
      if (indexOf(header, ascii("mvex")) < 0) return null;
    } else if (header === null && (type === "mdat" || type === "moof")) {
      return null;
    } else if (header !== null && type === "moof") {
      if (start + size > bytes.length) return "more";
      const codec = codecIn(header, MP4_CODECS);
      const fragment = bytes.subarray(start, start + size);
      if (codec === null || hasFileOffsets(fragment)) return null;
      return { bytes: end, codec, start: fragmentTime(fragment) / timescale(header) };
    }
    if (size < 8) return null;
  }
  return "more";
}

/** Yields the boxes that start in `bytes`. The last one may be incomplete. */
function* boxes(bytes: Uint8Array): Generator<{ type: string; start: number; size: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at);
    yield { type: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), start: at, size };
    at += size;
  }
}

/** Returns whether the offsets of a fragment count from the start of the file. */
function hasFileOffsets(fragment: Uint8Array): boolean {
  const at = indexOf(fragment, ascii("tfhd"));
  return at >= 0 && ((fragment[at + 7] ?? 0) & BASE_DATA_OFFSET_PRESENT) !== 0;
}

/** Returns the time of a fragment, in units of its track (ISO/IEC 14496-12, section 8.8.12); 0 if it has none. */
function fragmentTime(fragment: Uint8Array): number {
  return versioned(fragment, "tfdt", (view, at, isLong) => (isLong ? Number(view.getBigUint64(at)) : view.getUint32(at))) ?? 0;
}

/** Returns the units per second of the first track (section 8.4.2). */
function timescale(header: Uint8Array): number {
  return versioned(header, "mdhd", (view, at, isLong) => view.getUint32(at + (isLong ? 16 : 8))) || 1;
}

/** Reads the content of the first box of that type, after its version, which says whether times have 64 bits. */
function versioned(bytes: Uint8Array, type: string, read: (view: DataView, at: number, isLong: boolean) => number): number | null {
  const at = indexOf(bytes, ascii(type));
  if (at < 0 || at + 28 > bytes.length) return null;
  return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at + 8, bytes[at + 4] === 1);
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

const OGG_ID = ascii("OggS");
const OGG_HEADER_BYTES = 27;
const OGG_CODECS: readonly (readonly [string, "opus" | "vorbis" | "flac"])[] = [
  ["OpusHead", "opus"],
  ["\x01vorbis", "vorbis"],
  ["\x7fFLAC", "flac"],
];

/** A header of frames that Media Source takes only in another container. */
export interface FramesHeader<Codec> {
  /** Length in bytes. */
  bytes: number;
  codec: Codec;
}

/**
 * Parses the header of an Ogg stream (RFC 3533, section 6): the pages before the first one with audio. Returns `"more"` if
 * `bytes` is too short, null if it has no known codec.
 */
export function oggHeader(bytes: Uint8Array): FramesHeader<"opus" | "vorbis" | "flac"> | "more" | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let codec: "opus" | "vorbis" | "flac" | null = null;
  let at = 0;
  while (at + OGG_HEADER_BYTES <= bytes.length) {
    if (indexOf(bytes.subarray(at, at + OGG_ID.length), OGG_ID) !== 0) return null;
    const position = view.getBigInt64(at + 6, true);
    if (codec !== null && position > 0n) return { bytes: at, codec };
    const content = at + OGG_HEADER_BYTES + bytes[at + 26]!;
    if (content > bytes.length) return "more";
    const end = content + bytes.subarray(at + OGG_HEADER_BYTES, content).reduce((sum, length) => sum + length, 0);
    const isFirst = (bytes[at + 5]! & 2) !== 0;
    if (!isFirst && codec === null) return null; // All streams start with their first pages.
    const mark = bytes.subarray(content, content + 8);
    if (isFirst) codec ??= OGG_CODECS.find(([name]) => indexOf(mark, ascii(name)) === 0)?.[1] ?? null;
    at = end;
  }
  return "more";
}

const FLAC_ID = ascii("fLaC");
const ID3_ID = ascii("ID3");
const STREAM_INFO_END = 42;

/**
 * Finds the header of a FLAC file, with its first block of metadata (RFC 9639, section 8). Returns `"more"` if `bytes` is
 * too short, null if it is no FLAC.
 */
export function flacHeader(bytes: Uint8Array): FramesHeader<"flac"> | "more" | null {
  if (bytes.length < FLAC_ID.length) return "more";
  const at = indexOf(bytes, FLAC_ID);
  if (at !== 0 && indexOf(bytes.subarray(0, ID3_ID.length), ID3_ID) !== 0) return null;
  return at < 0 || at + STREAM_INFO_END > bytes.length ? "more" : { bytes: at + STREAM_INFO_END, codec: "flac" };
}
