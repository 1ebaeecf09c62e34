import type { AudioHeader } from "./header.js";
import { pushRising, type Point } from "./points.js";

/** Types of metadata blocks, and the sample number of an unused seek point (RFC 9639, 8). */
const STREAMINFO = 0;
const SEEKTABLE = 3;
const UNUSED = 0xffffffffffffffffn;
const POINT_BYTES = 18;
const MAX_POINTS = 8192;

/**
 * Reads the metadata of a FLAC file: its duration and its seek table.
 *
 * @param bytes the file from its first byte, or after an ID3v2 tag, which ends at `start`.
 * @param final whether nothing follows, so that what is there is all there is.
 * @returns `"more"` if `bytes` is too short; null if it is no FLAC file.
 */
export function flacHeader(bytes: Uint8Array, start: number, final: boolean): AudioHeader | "more" | null {
  if (bytes.length < 4) return final ? null : "more";
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== "fLaC") return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header: AudioHeader = { format: "flac", audioOffset: start, totalSeconds: null, index: null, tickSeconds: null };
  let sampleRate = 0;
  let table: [from: number, to: number] | null = null;
  for (let at = 4; at + 4 <= bytes.length; ) {
    const [type, content] = [bytes[at]! & 0x7f, at + 4];
    const end = content + (view.getUint32(at) & 0xffffff);
    if (end > bytes.length) break;
    if (type === STREAMINFO && end - content >= 18) {
      sampleRate = view.getUint32(content + 10) >>> 12;
      const samples = Number(view.getBigUint64(content + 10) & 0xfffffffffn);
      if (sampleRate > 0 && samples > 0) header.totalSeconds = samples / sampleRate;
    }
    if (type === SEEKTABLE) table = [content, end];
    if ((bytes[at]! & 0x80) !== 0) {
      const points = table === null || sampleRate === 0 ? [] : readTable(view, table, start + end, sampleRate);
      if (points.length > 0) header.index = { points, end: null, toleranceBytes: 0 };
      return { ...header, audioOffset: start + end };
    }
    at = end;
  }
  return final ? header : "more";
}

function readTable(view: DataView, [from, to]: [number, number], origin: number, sampleRate: number): Point[] {
  const points: Point[] = [];
  for (let at = from; at + POINT_BYTES <= to && points.length < MAX_POINTS; at += POINT_BYTES) {
    const sample = view.getBigUint64(at);
    if (sample === UNUSED) continue;
    pushRising(points, { offset: origin + Number(view.getBigUint64(at + 8)), seconds: Number(sample) / sampleRate });
  }
  return points;
}
