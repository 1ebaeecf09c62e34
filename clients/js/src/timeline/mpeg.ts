import { ascii, indexOf } from "../bytes.js";
import { frameHeader, type FrameHeader } from "./frames.js";
import type { AudioHeader, SeekIndex } from "./header.js";
import { pushRising, type Point } from "./points.js";

/** Longest part of the first frame that holds a Xing header with its table and the encoder's name. */
const XING_BYTES = 4 + 32 + 120 + 36;

/** Offset of a VBRI header in its frame, and its length without the table. */
const VBRI_AT = 36;
const VBRI_BYTES = 26;

/** Bytes in which the first frame must start. */
const SEARCH_BYTES = 64 * 1024;

/** A Xing table has 100 entries; an encoder computes them from at most 400 sums. */
const TOC_SIZE = 100;
const MOST_SUMS = 400;

/**
 * Reads the first frame of MPEG or ADTS audio, with the table that LAME, ffmpeg (Xing) or Fraunhofer's encoders (VBRI) put
 * there. The silence that encoders add at the start and the end counts as audio, as Media Source plays it.
 *
 * @param bytes the audio after ID3v2 tags, which end at `offset`.
 * @returns `"more"` if `bytes` is too short; null if it is other audio.
 */
export function mpegHeader(bytes: Uint8Array, offset: number): AudioHeader | "more" | null {
  for (let at = bytes.indexOf(0xff); at >= 0 && at < SEARCH_BYTES; at = bytes.indexOf(0xff, at + 1)) {
    const frame = frameHeader(bytes, at);
    if (frame === null) continue;
    if (at + frame.bytes + 6 > bytes.length) return "more";
    const following = frameHeader(bytes, at + frame.bytes);
    if (following?.sampleRate !== frame.sampleRate || following.format !== frame.format) continue;
    return headerOf(bytes, at, frame, offset);
  }
  return bytes.length < SEARCH_BYTES ? "more" : null;
}

function headerOf(bytes: Uint8Array, at: number, frame: FrameHeader, offset: number): AudioHeader | "more" {
  const plain: AudioHeader = { format: frame.format, audioOffset: offset + at, totalSeconds: null, index: null, tickSeconds: null };
  if (frame.format === "adts") return plain;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  const name = (from: number): string => String.fromCharCode(...bytes.subarray(at + from, at + from + 4));
  if (["Xing", "Info"].includes(name(frame.xingAt))) {
    return view.byteLength < XING_BYTES ? "more" : { ...plain, ...readXing(view, frame, offset + at) };
  }
  if (name(VBRI_AT) !== "VBRI") return plain;
  const length = VBRI_AT + VBRI_BYTES + view.getUint16(VBRI_AT + 18) * view.getUint16(VBRI_AT + 22);
  return view.byteLength < length ? "more" : { ...plain, ...readVbri(view, frame, offset + at) };
}

type Claims = Pick<AudioHeader, "totalSeconds" | "index">;

/** Reads a Xing header: flags, then frames, bytes and a table, each if its flag is set, then a field of LAME's. */
function readXing(view: DataView, frame: FrameHeader, start: number): Claims {
  let at = frame.xingAt + 8;
  const flags = view.getUint32(at - 4);
  const next = (flag: number): number => ((flags & flag) === 0 ? 0 : view.getUint32((at += 4) - 4));
  const [frames, bytes] = [next(1), next(2)];
  const frameSeconds = frame.samples / frame.sampleRate;
  const totalSeconds = frames > 0 ? frames * frameSeconds : null;
  // Of a file that is still being written.
  if (totalSeconds === null || bytes === 0) return { totalSeconds, index: null };
  // The frame with the table is not played.
  const [first, end] = [{ offset: start + frame.bytes, seconds: 0 }, { offset: start + bytes, seconds: totalSeconds }];
  const constant = view.getUint8(frame.xingAt) === 0x49; // "Info"
  if (constant || (flags & 4) === 0) {
    return { totalSeconds, index: constant ? { points: straight(first, end), end, toleranceBytes: frame.bytes } : null };
  }
  const toc = new Uint8Array(view.buffer, view.byteOffset + at, TOC_SIZE);
  if (toc.some((value, entry) => entry > 0 && value < toc[entry - 1]!)) return { totalSeconds, index: null };
  const encoder = view.byteOffset + at + TOC_SIZE + ((flags & 8) === 0 ? 0 : 4);
  const computed = /^(LAME|Lav[cf])/.test(String.fromCharCode(...new Uint8Array(view.buffer, encoder, 4)));
  const times = computed ? timesOfSums(frames, frameSeconds) : [];
  const points = [first];
  for (const point of tautString(toc, bytes, totalSeconds, times)) {
    if (point.offset < bytes && point.seconds < totalSeconds) pushRising(points, { ...point, offset: start + point.offset });
  }
  pushRising(points, end);
  return { totalSeconds, index: { points, end, toleranceBytes: bytes / 256 } };
}

/** Returns points at each percent of the way. */
function straight(from: Point, to: Point): Point[] {
  return Array.from({ length: TOC_SIZE + 1 }, (_, percent) => ({
    offset: from.offset + ((to.offset - from.offset) * percent) / TOC_SIZE,
    seconds: from.seconds + ((to.seconds - from.seconds) * percent) / TOC_SIZE,
  }));
}

/**
 * Returns the times that the entries of LAME's and ffmpeg's tables are of. Both sum the bytes of all frames, and keep a
 * sum for each so many frames: one at first, twice as many whenever there are 400 sums. An entry is the nearest sum kept,
 * up to half a percent later than its place in the table says.
 */
function timesOfSums(frames: number, frameSeconds: number): number[] {
  let [each, sums] = [1, frames];
  while (sums >= MOST_SUMS) {
    each *= 2;
    sums = Math.floor(frames / each);
  }
  return Array.from({ length: TOC_SIZE }, (_, entry) => (Math.floor((entry * sums) / TOC_SIZE) + 1) * each * frameSeconds);
}

/**
 * Returns the offsets that the table means: the entries are rounded down to 1/256 of the bytes, so each is an interval.
 * The shortest line through all intervals changes its slope, the byte rate, as little as they allow.
 */
function tautString(toc: Uint8Array, bytes: number, totalSeconds: number, times: readonly number[]): Point[] {
  const gates = [{ seconds: 0, low: 0, high: 0 }];
  for (let entry = 1; entry < TOC_SIZE; entry += 1) {
    const seconds = times[entry] ?? (totalSeconds * entry) / TOC_SIZE;
    if (seconds <= gates.at(-1)!.seconds || seconds >= totalSeconds) continue;
    const low = (toc[entry]! / 256) * bytes;
    gates.push({ seconds, low, high: low + bytes / 256 });
  }
  gates.push({ seconds: totalSeconds, low: bytes, high: bytes });
  const line: Point[] = [{ offset: 0, seconds: 0 }];
  for (let from = 0; from < gates.length - 1; ) {
    from = nextBend(gates, from, line);
  }
  return line;
}

interface Gate {
  seconds: number;
  low: number;
  high: number;
}

/** Extends the line from the gate `from` as far as it is straight. Returns the gate at which it ends. */
function nextBend(gates: readonly Gate[], from: number, line: Point[]): number {
  const { offset, seconds } = line.at(-1)!;
  let [floor, ceiling] = [from, from];
  let [minimum, maximum] = [-Infinity, Infinity];
  for (let to = from + 1; to < gates.length; to += 1) {
    const gate = gates[to]!;
    const [low, high] = [(gate.low - offset) / (gate.seconds - seconds), (gate.high - offset) / (gate.seconds - seconds)];
    if (low > maximum || high < minimum) {
      const bend = low > maximum ? ceiling : floor;
      line.push({ offset: low > maximum ? gates[bend]!.high : gates[bend]!.low, seconds: gates[bend]!.seconds });
      return bend;
    }
    if (low >= minimum) [minimum, floor] = [low, to];
    if (high <= maximum) [maximum, ceiling] = [high, to];
  }
  line.push({ offset: gates.at(-1)!.high, seconds: gates.at(-1)!.seconds });
  return gates.length - 1;
}

/** Reads a VBRI header: bytes, frames, and a table of the bytes of each so many frames. */
function readVbri(view: DataView, frame: FrameHeader, start: number): Claims {
  const field = (at: number): number => view.getUint16(VBRI_AT + at);
  const [bytes, frames] = [view.getUint32(VBRI_AT + 10), view.getUint32(VBRI_AT + 14)];
  const [entries, scale, entryBytes, entryFrames] = [field(18), field(20), field(22), field(24)];
  const frameSeconds = frame.samples / frame.sampleRate;
  if (frames === 0) return { totalSeconds: null, index: null };
  const totalSeconds = frames * frameSeconds;
  if (bytes === 0 || ![1, 2, 4].includes(entryBytes)) return { totalSeconds, index: null };
  const end = { offset: start + bytes, seconds: totalSeconds };
  const points: Point[] = [{ offset: start + frame.bytes, seconds: 0 }];
  let offset = start + frame.bytes;
  for (let entry = 0; entry < entries; entry += 1) {
    const at = VBRI_AT + VBRI_BYTES + entry * entryBytes;
    const value = entryBytes === 1 ? view.getUint8(at) : entryBytes === 2 ? view.getUint16(at) : view.getUint32(at);
    offset += value * scale;
    const seconds = (entry + 1) * entryFrames * frameSeconds;
    if (offset < end.offset && seconds < totalSeconds) pushRising(points, { offset, seconds });
  }
  pushRising(points, end);
  const index: SeekIndex = { points, end, toleranceBytes: frame.bytes + entries * scale };
  return { totalSeconds, index };
}

/** Whether the frame at `at` carries a Xing, Info or VBRI header instead of audio. */
export function isTable(bytes: Uint8Array, at: number, frame: FrameHeader): boolean {
  return TABLE_NAMES.some(([name, place]) => {
    const from = at + (place ?? frame.xingAt);
    return frame.format === "mpeg" && indexOf(bytes.subarray(from, from + 4), name) === 0;
  });
}

const TABLE_NAMES = [
  [ascii("Xing"), null],
  [ascii("Info"), null],
  [ascii("VBRI"), VBRI_AT],
] as const;
