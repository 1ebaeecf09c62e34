import type { AudioHeader, SeekIndex } from "./header.js";
import { pushRising, type Point } from "./points.js";

/** A box of ISO/IEC 14496-12, without its content. */
interface Box {
  type: string;
  /** Offset of its content. */
  content: number;
  /** Offset after its content. */
  end: number;
}

/** A file starts with one of these. */
const FIRST_BOXES = ["ftyp", "styp", "moov"];
const AUDIO_BOXES = ["moof", "mdat"];

/** Most references that are kept of a segment index. */
const MAX_REFERENCES = 8192;

/**
 * Reads what precedes the first fragment of an MP4 file: the movie's header and the segment index.
 *
 * @param bytes the file from its first byte.
 * @param final whether nothing follows, so that what is there is all there is.
 * @returns `"more"` if `bytes` is too short; null if it is no MP4 file.
 */
export function mp4Header(bytes: Uint8Array, final: boolean): AudioHeader | "more" | null {
  const view = viewOf(bytes);
  const header: AudioHeader = { format: "mp4", audioOffset: 0, totalSeconds: null, index: null, tickSeconds: null };
  for (let at = 0; ; ) {
    const box = boxAt(view, at);
    if (at === 0 && (box === null || !FIRST_BOXES.includes(box.type))) return null;
    if (box === null || box.end > bytes.length) {
      const isAudio = box !== null && AUDIO_BOXES.includes(box.type);
      return isAudio || final ? { ...header, audioOffset: at } : "more";
    }
    if (AUDIO_BOXES.includes(box.type)) return { ...header, audioOffset: at };
    if (box.type === "moov") {
      // Where samples follow that are not in fragments, the duration is theirs alone.
      const next = boxAt(view, box.end);
      if (next === null && !final) return "more";
      readMovie(view, box, header, next?.type === "mdat");
    }
    if (box.type === "sidx" && header.index === null) header.index = readSidx(view, box);
    header.totalSeconds ??= header.index?.end?.seconds ?? null;
    at = box.end;
  }
}

/** Returns the time at which the fragment starts that is at `at`, in ticks; `"more"` if its header is not there yet. */
export function fragmentTicks(bytes: Uint8Array, at: number): number | "more" | null {
  const view = viewOf(bytes);
  const moof = boxAt(view, at);
  if (moof === null || moof.end > bytes.length) return "more";
  const traf = child(view, moof, "traf");
  const tfdt = traf === null ? null : child(view, traf, "tfdt");
  if (tfdt === null) return null;
  return uint(view, tfdt.content + 4, isLong(view, tfdt) ? 8 : 4, tfdt);
}

function readMovie(view: DataView, moov: Box, header: AudioHeader, hasSamples: boolean): void {
  const times = (box: Box | null): { scale: number | null; duration: number | null } => {
    if (box === null) return { scale: null, duration: null };
    const long = isLong(view, box);
    const at = box.content + (long ? 20 : 12);
    return { scale: uint(view, at, 4, box), duration: uint(view, at + 4, long ? 8 : 4, box) };
  };
  const movie = times(child(view, moov, "mvhd"));
  const trak = child(view, moov, "trak");
  const mdia = trak === null ? null : child(view, trak, "mdia");
  const track = times(mdia === null ? null : child(view, mdia, "mdhd"));
  const mvex = child(view, moov, "mvex");
  const mehd = mvex === null ? null : child(view, mvex, "mehd");
  const fragments = mehd === null ? null : uint(view, mehd.content + 4, isLong(view, mehd) ? 8 : 4, mehd);
  // Some writers leave `mehd` out, and put the duration of all fragments where that of the samples before them belongs.
  const duration = fragments || (hasSamples ? null : movie.duration);
  if (duration && movie.scale) header.totalSeconds = duration / movie.scale;
  if (track.scale) header.tickSeconds = 1 / track.scale;
}

function readSidx(view: DataView, box: Box): SeekIndex | null {
  const long = isLong(view, box);
  const scale = uint(view, box.content + 8, 4, box);
  const time = uint(view, box.content + 12, long ? 8 : 4, box);
  const gap = uint(view, box.content + (long ? 20 : 16), long ? 8 : 4, box);
  const table = box.content + (long ? 28 : 20);
  const count = uint(view, table + 2, 2, box);
  if (!scale || time === null || gap === null || count === null) return null;
  const points: Point[] = [];
  let [offset, ticks] = [box.end + gap, time];
  for (let at = table + 4; points.length < Math.min(count, MAX_REFERENCES) && at + 12 <= box.end; at += 12) {
    const reference = view.getUint32(at);
    if (reference >= 0x80000000) return null; // To another index.
    pushRising(points, { offset, seconds: ticks / scale });
    offset += reference;
    ticks += view.getUint32(at + 4);
  }
  if (points.length === 0) return null;
  return { points, end: { offset, seconds: ticks / scale }, toleranceBytes: 0 };
}

function boxAt(view: DataView, at: number): Box | null {
  if (at + 8 > view.byteLength) return null;
  const type = String.fromCharCode(...[4, 5, 6, 7].map((index) => view.getUint8(at + index)));
  const size = view.getUint32(at);
  if (size !== 1) return { type, content: at + 8, end: size < 8 ? Infinity : at + size };
  if (at + 16 > view.byteLength) return null;
  return { type, content: at + 16, end: at + Math.max(16, Number(view.getBigUint64(at + 8))) };
}

function child(view: DataView, parent: Box, type: string): Box | null {
  for (let at = parent.content; at < parent.end; ) {
    const box = boxAt(view, at);
    if (box === null || box.end > parent.end) return null;
    if (box.type === type) return box;
    at = box.end;
  }
  return null;
}

/** Whether a box has the version whose times are of 64 bits. */
function isLong(view: DataView, box: Box): boolean {
  return box.content < box.end && view.getUint8(box.content) !== 0;
}

/** Returns the number of `size` bytes; null if it is not in `box`, or has all bits set: unknown. */
function uint(view: DataView, at: number, size: 2 | 4 | 8, box: Box): number | null {
  if (at + size > box.end) return null;
  if (size === 2) return view.getUint16(at);
  if (size === 4) return view.getUint32(at) === 0xffffffff ? null : view.getUint32(at);
  const value = view.getBigUint64(at);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
