import { rangeAt, type Range } from "./ranges.js";

/** Where a seek went that had to fetch. */
export interface Target {
  /** The time asked for. */
  seconds: number;
  /** Whether that very time was asked for, rather than about the time of a byte, and the audio tells its time. */
  isPrecise: boolean;
  /** How often it may still be fetched from another offset. */
  tries: number;
}

/** What to do about the audio that came for a seek. */
export type Landing =
  | { kind: "wait" }
  /** Play from there. */
  | { kind: "move"; seconds: number }
  /** Fetch from about so many seconds further on, or before. */
  | { kind: "fetch"; seconds: number };

const WAIT: Landing = { kind: "wait" };

/** Audio that starts later than asked by no more is taken. */
const LATE_SECONDS = 0.25;

/** Audio that starts earlier than asked by more is not waited through. */
const EARLY_SECONDS = 20;

/** How much earlier to fetch where nothing came before the end. */
const BACK_SECONDS = 2;

/**
 * Decides the next step of a seek.
 *
 * @param ranges that were buffered since the seek.
 * @param isComplete whether all audio from there to the end was buffered.
 */
export function landingOf(target: Target, ranges: Range[], isComplete: boolean): Landing {
  const [first, last] = [ranges[0], ranges.at(-1)];
  const { seconds, tries } = target;
  if (first === undefined || last === undefined) {
    return isComplete && tries > 0 ? { kind: "fetch", seconds: -BACK_SECONDS } : WAIT;
  }
  const holding = rangeAt(ranges, seconds);
  if (holding !== undefined) return { kind: "move", seconds: Math.max(seconds, holding.start) };
  if (first.start > seconds) {
    const late = first.start - seconds;
    const isTooLate = target.isPrecise && late > LATE_SECONDS && tries > 0;
    return isTooLate ? { kind: "fetch", seconds: -late } : { kind: "move", seconds: first.start };
  }
  if (isComplete) return { kind: "move", seconds: last.end };
  const early = seconds - last.end;
  // A hole at the place itself.
  if (early < 0) return { kind: "move", seconds: ranges.find(({ start }) => start > seconds)!.start };
  return target.isPrecise && early > EARLY_SECONDS && tries > 0 ? { kind: "fetch", seconds: early } : WAIT;
}
