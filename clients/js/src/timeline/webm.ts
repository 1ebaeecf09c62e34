import type { AudioHeader, SeekIndex } from "./header.js";
import { pushRising, type Point } from "./points.js";

/** IDs of Matroska's elements (RFC 9559, 5). */
const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const CUES = 0x1c53bb6b;
const CUE_POINT = 0xbb;
const CUE_TIME = 0xb3;
const CUE_TRACK_POSITIONS = 0xb7;
const CUE_CLUSTER_POSITION = 0xf1;
const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;

/** Nanoseconds of a tick, unless the file says otherwise. */
const DEFAULT_SCALE = 1_000_000;

/** Bytes from a cluster's start in which its timestamp must be. */
const CLUSTER_HEAD_BYTES = 48;

interface Element {
  id: number;
  /** Offset of its content. */
  content: number;
  /** Offset after its content; infinite if the file does not say. */
  end: number;
}

/**
 * Reads what precedes the first cluster of a WebM file: the duration, and the cues where they come first.
 *
 * @param bytes the file from its first byte.
 * @param final whether nothing follows, so that what is there is all there is.
 * @returns `"more"` if `bytes` is too short; null if it is no WebM file.
 */
export function webmHeader(bytes: Uint8Array, final: boolean): AudioHeader | "more" | null {
  const more = (at: number): AudioHeader | "more" => (final ? { ...header, audioOffset: at } : "more");
  const header: AudioHeader = { format: "webm", audioOffset: 0, totalSeconds: null, index: null, tickSeconds: DEFAULT_SCALE / 1e9 };
  if (!startsLike(bytes, EBML)) return null;
  const ebml = elementAt(bytes, 0);
  if (ebml === null) return more(0);
  const segment = elementAt(bytes, ebml.end);
  if (segment === null) return more(0);
  if (segment.id !== SEGMENT) return null;
  let cues: Element | null = null;
  let at = segment.content;
  for (;;) {
    const element = elementAt(bytes, at);
    if (element?.id === CLUSTER) break;
    if (element === null || element.end > bytes.length) {
      if (!final) return "more";
      break;
    }
    if (element.id === INFO) readInfo(bytes, element, header);
    if (element.id === CUES) cues = element;
    at = element.end;
  }
  if (cues !== null) header.index = readCues(bytes, cues, segment.content, header.tickSeconds!);
  return { ...header, audioOffset: at };
}

/** Returns the time at which the cluster starts that is at `at`, in ticks; `"more"` if its header is not there yet. */
export function clusterTicks(bytes: Uint8Array, at: number): number | "more" | null {
  const cluster = elementAt(bytes, at);
  for (let inner = cluster?.content ?? Infinity; inner < at + CLUSTER_HEAD_BYTES; ) {
    const element = elementAt(bytes, inner);
    if (element === null || (element.id === TIMESTAMP && element.end > bytes.length)) break;
    if (element.id === TIMESTAMP) return uint(bytes, element);
    inner = element.end;
  }
  return bytes.length < at + CLUSTER_HEAD_BYTES ? "more" : null;
}

function readInfo(bytes: Uint8Array, info: Element, header: AudioHeader): void {
  const scale = child(bytes, info, TIMESTAMP_SCALE);
  const nanoseconds = (scale === null ? 0 : uint(bytes, scale)) || DEFAULT_SCALE;
  header.tickSeconds = nanoseconds / 1e9;
  const duration = child(bytes, info, DURATION);
  if (duration === null) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset + duration.content, duration.end - duration.content);
  const ticks = view.byteLength === 8 ? view.getFloat64(0) : view.byteLength === 4 ? view.getFloat32(0) : 0;
  if (Number.isFinite(ticks) && ticks > 0) header.totalSeconds = ticks * header.tickSeconds;
}

function readCues(bytes: Uint8Array, cues: Element, origin: number, tickSeconds: number): SeekIndex | null {
  const points: Point[] = [];
  for (let at = cues.content; at < cues.end; ) {
    const cue = elementAt(bytes, at);
    if (cue === null || cue.end > cues.end) break;
    at = cue.end;
    const time = cue.id === CUE_POINT ? child(bytes, cue, CUE_TIME) : null;
    const track = time === null ? null : child(bytes, cue, CUE_TRACK_POSITIONS);
    const position = track === null ? null : child(bytes, track, CUE_CLUSTER_POSITION);
    if (time === null || position === null) continue;
    pushRising(points, { offset: origin + uint(bytes, position), seconds: uint(bytes, time) * tickSeconds });
  }
  return points.length === 0 ? null : { points, end: null, toleranceBytes: 0 };
}

function startsLike(bytes: Uint8Array, id: number): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === id;
}

function child(bytes: Uint8Array, parent: Element, id: number): Element | null {
  for (let at = parent.content; at < parent.end; ) {
    const element = elementAt(bytes, at);
    if (element === null || element.end > parent.end) return null;
    if (element.id === id) return element;
    at = element.end;
  }
  return null;
}

function uint(bytes: Uint8Array, element: Element): number {
  let value = 0;
  for (const byte of bytes.subarray(element.content, element.end)) value = value * 256 + byte;
  return Number.isSafeInteger(value) ? value : 0;
}

/** Reads an element's id and size (RFC 8794, 4 to 6); null if they are not there yet or invalid. */
function elementAt(bytes: Uint8Array, at: number): Element | null {
  const idLength = Math.clz32(bytes[at] ?? 0) - 23;
  const sizeAt = at + idLength;
  const sizeLength = Math.clz32(bytes[sizeAt] ?? 0) - 23;
  const content = sizeAt + sizeLength;
  if (idLength > 4 || sizeLength > 8 || content > bytes.length) return null;
  let id = 0;
  for (const byte of bytes.subarray(at, sizeAt)) id = id * 256 + byte;
  let size = bytes[sizeAt]! & (0xff >> sizeLength);
  let unknown = size === 0xff >> sizeLength;
  for (const byte of bytes.subarray(sizeAt + 1, content)) {
    size = size * 256 + byte;
    unknown &&= byte === 0xff;
  }
  return { id, content, end: unknown ? Infinity : content + size };
}
