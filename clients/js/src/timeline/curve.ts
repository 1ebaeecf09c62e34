import type { Run } from "./measured.js";
import { offsetIn, pushRising, secondsIn, type Point } from "./points.js";

/** After what was measured, the rate is first between the current and the mean one, for so many seconds. */
const NEAR_SECONDS = 30;

/** What is known about a stream. */
export interface Facts {
  /** Where the audio starts. */
  start: Point;
  /** What was measured. */
  runs: readonly Run[];
  /** Points of the file's header. */
  index: readonly Point[];
  /** Where the audio ends; null if that is unknown. */
  end: Point | null;
  /** Current and mean byte rate; null while they are unknown. */
  currentRate: number | null;
  meanRate: number | null;
}

/**
 * The best estimate of which audio is where: a line through all points that are certain, in between through those of the
 * header, else along what was measured without an anchor, and at the mean rate where nothing is known.
 */
export class Curve {
  readonly #points: Point[];
  /** Byte rate after the last point; null if there is none. */
  readonly #rate: number | null;

  constructor(facts: Facts) {
    const { runs, index, end, meanRate, currentRate } = facts;
    this.#points = [facts.start];
    let loose: Run[] = [];
    for (const run of runs) {
      if (run.anchored) {
        this.#fill(loose, index, run.points[0]!, meanRate);
        // The start may be within the run, where it was estimated.
        while (this.#points.length > 0 && this.#points.at(-1)!.offset >= run.points[0]!.offset) this.#points.pop();
        for (const point of run.points) pushRising(this.#points, point);
        loose = [];
      } else {
        loose.push(run);
      }
    }
    this.#rate = end === null ? meanRate : null;
    if (end !== null) {
      this.#fill(loose, index, end, meanRate);
      pushRising(this.#points, end);
    } else {
      for (const point of index) pushRising(this.#points, point);
      if (meanRate !== null) this.#extend(loose, meanRate, ((currentRate ?? meanRate) + meanRate) / 2);
    }
  }

  /** Returns the offset of `seconds`; null if that is unknown. */
  offsetAt(seconds: number): number | null {
    const last = this.#points.at(-1)!;
    if (!this.#isKnown) return null;
    if (seconds <= last.seconds) return offsetIn(this.#points, seconds);
    if (this.#rate !== null) return last.offset + (seconds - last.seconds) * this.#rate;
    return last.offset;
  }

  /** Returns the time of `offset`; null if that is unknown. */
  secondsAt(offset: number): number | null {
    const last = this.#points.at(-1)!;
    if (!this.#isKnown) return null;
    if (offset <= last.offset) return secondsIn(this.#points, offset);
    if (this.#rate !== null) return last.seconds + (offset - last.offset) / this.#rate;
    return last.seconds;
  }

  /** Whether more is known than where the audio starts. */
  get #isKnown(): boolean {
    return this.#points.length > 1 || this.#rate !== null;
  }

  /** Continues to a point that is certain. */
  #fill(loose: readonly Run[], index: readonly Point[], to: Point, meanRate: number | null): void {
    const inside = index.filter(({ offset, seconds }) => offset < to.offset && seconds < to.seconds);
    const before = this.#points.length;
    for (const point of inside) pushRising(this.#points, point);
    if (this.#points.length > before || loose.length === 0 || meanRate === null) return;
    // What was measured keeps its length if it can; the time that remains is shared by what lies in between.
    const from = this.#points.at(-1)!;
    const measured = loose.reduce((sum, { points }) => sum + points.at(-1)!.seconds - points[0]!.seconds, 0);
    const bytes = loose.reduce((sum, { points }) => sum - points.at(-1)!.offset + points[0]!.offset, to.offset - from.offset);
    const rest = to.seconds - from.seconds - measured;
    const scale = rest > 0 ? 1 : (to.seconds - from.seconds) / (measured + bytes / meanRate);
    this.#along(loose, rest > 0 ? bytes / rest : meanRate / scale, scale);
  }

  /** Continues at estimated rates. */
  #extend(loose: readonly Run[], meanRate: number, nearRate: number): void {
    const last = this.#points.at(-1)!;
    if (loose.length === 0) {
      pushRising(this.#points, { offset: last.offset + NEAR_SECONDS * nearRate, seconds: last.seconds + NEAR_SECONDS });
    } else {
      this.#along(loose, meanRate, 1);
    }
  }

  #along(loose: readonly Run[], rate: number, scale: number): void {
    for (const { points } of loose) {
      const last = this.#points.at(-1)!;
      const first = points[0]!;
      const seconds = last.seconds + Math.max(0, first.offset - last.offset) / rate;
      for (const point of points) {
        pushRising(this.#points, { offset: point.offset, seconds: seconds + (point.seconds - first.seconds) * scale });
      }
    }
  }
}
