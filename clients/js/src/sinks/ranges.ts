/** A range of buffered audio, in seconds. */
export interface Range {
  start: number;
  end: number;
}

/** Audio may start slightly later than asked: decoders drop their priming samples. */
const TOLERANCE_SECONDS = 0.2;

/** Closer to the end of a range than this nothing may be left to play. */
const END_SECONDS = 0.15;

/** Returns the ranges as plain values. */
export function rangesOf(buffered: TimeRanges): Range[] {
  return Array.from({ length: buffered.length }, (_, index) => ({
    start: buffered.start(index),
    end: buffered.end(index),
  }));
}

/** Returns the range that has `time`, or starts right after it; undefined if there is none. */
export function rangeAt(ranges: Range[], time: number): Range | undefined {
  return ranges.find(({ start, end }) => start - TOLERANCE_SECONDS <= time && time < end);
}

/** Returns the seconds of audio after `time`, over all ranges. */
export function secondsAfter(ranges: Range[], time: number): number {
  return ranges.reduce((sum, { start, end }) => sum + Math.max(0, end - Math.max(start, time)), 0);
}

/**
 * Returns where playing can continue when it cannot at `time`: the start of the next range. Null if the audio at `time`
 * is there, or none follows. Audio is appended in order, so what is missing before a range never comes.
 */
export function afterHole(ranges: Range[], time: number): number | null {
  const here = ranges.find(({ start, end }) => start <= time && time + END_SECONDS < end);
  if (here !== undefined) return null;
  return ranges.find(({ start }) => start > time)?.start ?? null;
}
