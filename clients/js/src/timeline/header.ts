import type { Point } from "./points.js";

/** Points that a file's header names. */
export interface SeekIndex {
  /** The points, rising. */
  points: readonly Point[];
  /** The offset and the time at which the audio ends; null if the header does not say. */
  end: Point | null;
  /** Largest error of a point's offset, in bytes. */
  toleranceBytes: number;
}

/** What a file's header says about offsets and times. None of it is certain: headers may be wrong, or of another file. */
export interface AudioHeader {
  format: "mpeg" | "adts" | "mp4" | "webm" | "flac" | "ogg";
  /** Offset of the first frame, fragment or cluster. */
  audioOffset: number;
  /** Duration in seconds; null if the header does not say. */
  totalSeconds: number | null;
  /** Null if there is none. */
  index: SeekIndex | null;
  /** Seconds of a unit of the container's timestamps; null where frames have none that count. */
  tickSeconds: number | null;
}

/** Returns the header of the same audio whose timestamps are `seconds` later. */
export function shifted(header: AudioHeader, seconds: number): AudioHeader {
  const move = (point: Point): Point => ({ offset: point.offset, seconds: point.seconds + seconds });
  const { index, totalSeconds } = header;
  const end = index?.end === undefined || index.end === null ? null : move(index.end);
  // Some writers count the duration from the first timestamp, others from 0; an index does so always.
  const isFromZero = totalSeconds === index?.end?.seconds || (header.format === "webm" && (totalSeconds ?? 0) + seconds > 0);
  return {
    ...header,
    totalSeconds: totalSeconds !== null && isFromZero ? totalSeconds + seconds : totalSeconds,
    index: index === null ? null : { ...index, points: index.points.map(move), end },
  };
}
