import { countUpTo, covers, pushRising, secondsIn, type Point } from "./points.js";

/** Most points that are kept. */
const MAX_POINTS = 4096;

/** Audio measured without interruption. */
export interface Run {
  /** Whether its times count from the start of the audio; otherwise only their differences are exact. */
  anchored: boolean;
  /** Points, rising, at first about a second apart. */
  points: Point[];
}

/** What was measured: runs of points that do not overlap, by offset. */
export class Measured {
  readonly #runs: Run[] = [];
  /** The run that is being measured; null before its first point. */
  #current: Run | null = null;
  #anchored = false;
  /** Added to measured times, so that what a run knows stays exact. */
  #shift = 0;
  #previous: Point | null = null;
  /** Least seconds between points. */
  #spacing = 1;

  /** The runs, by offset. */
  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** The run that is being measured; null before its first point. */
  get current(): Run | null {
    return this.#current;
  }

  /** Seconds measured, in all runs. */
  get seconds(): number {
    return this.#runs.reduce((sum, { points }) => sum + points.at(-1)!.seconds - points[0]!.seconds, 0);
  }

  /** Mean byte rate of all runs; null before anything was measured. */
  get meanRate(): number | null {
    const bytes = this.#runs.reduce((sum, { points }) => sum + points.at(-1)!.offset - points[0]!.offset, 0);
    return bytes > 0 ? bytes / this.seconds : null;
  }

  /** The next point starts another run. @param anchored whether its times count from the start of the audio. */
  begin(anchored: boolean): void {
    this.#current = null;
    this.#anchored = anchored;
    this.#shift = 0;
    this.#previous = null;
  }

  /** Measured that the audio at `offset` starts at `seconds`. Returns whether that was new. */
  add(offset: number, seconds: number): boolean {
    if (this.#current === null) {
      this.#current = this.#enter({ offset, seconds });
      return true;
    }
    return this.#extend(this.#current, { offset, seconds: seconds + this.#shift });
  }

  /** Returns the time of `offset` as it was given to `add`; null before the first point. */
  countedAt(offset: number): number | null {
    return this.#current === null ? null : secondsIn(this.#current.points, offset) - this.#shift;
  }

  /** Returns the run that a new point belongs to. */
  #enter(point: Point): Run {
    const before = countUpTo(this.#starts(), "offset", point.offset);
    const run = this.#runs[before - 1];
    if (run === undefined || !covers(run.points, "offset", point.offset)) {
      const created = { anchored: this.#anchored, points: [point] };
      this.#runs.splice(before, 0, created);
      return created;
    }
    const difference = secondsIn(run.points, point.offset) - point.seconds;
    this.#previous = point;
    if (!run.anchored) {
      move(run, -difference);
      run.anchored = this.#anchored;
    } else if (!this.#anchored) {
      this.#shift = difference;
    }
    return run;
  }

  #extend(run: Run, point: Point): boolean {
    const last = run.points.at(-1)!;
    const previous = this.#previous;
    this.#previous = point;
    if (point.offset <= last.offset) return false;
    if (previous !== null && previous.offset < last.offset && point.seconds > previous.seconds) {
      // The end of what was known is passed: the times continue from there.
      const difference = last.seconds - secondsIn([previous, point], last.offset);
      this.#shift += difference;
      this.#previous = point = { offset: point.offset, seconds: point.seconds + difference };
    }
    const next = this.#runs[this.#runs.indexOf(run) + 1];
    if (next !== undefined && next.points[0]!.offset <= point.offset) {
      point = { offset: point.offset, seconds: point.seconds + this.#merge(run, next, point) };
      this.#previous = point;
      if (point.offset <= run.points.at(-1)!.offset) return true;
    }
    return this.#push(run, point);
  }

  #push(run: Run, point: Point): boolean {
    const [last, before] = [run.points.at(-1)!, run.points.at(-2)];
    if (point.seconds <= last.seconds) return false; // Bytes that completed no audio.
    if (before !== undefined && point.seconds - before.seconds < this.#spacing) run.points.pop();
    run.points.push(point);
    if (this.#runs.reduce((sum, { points }) => sum + points.length, 0) > MAX_POINTS) this.#thin();
    return true;
  }

  /** Appends `next`, which `point` has reached, to `run`. Returns what to add to times of `run` from now on. */
  #merge(run: Run, next: Run, point: Point): number {
    const [last, first] = [run.points.at(-1)!, next.points[0]!];
    const seconds = point.seconds > last.seconds ? secondsIn([last, point], first.offset) : last.seconds;
    let change = 0;
    if (!next.anchored) {
      move(next, seconds - first.seconds);
    } else if (!run.anchored) {
      change = first.seconds - seconds;
      move(run, change);
      run.anchored = true;
      this.#shift += change;
    }
    for (const each of next.points) pushRising(run.points, each);
    this.#runs.splice(this.#runs.indexOf(next), 1);
    return change;
  }

  /** Drops every other point of each run. */
  #thin(): void {
    this.#spacing *= 2;
    for (const run of this.#runs) {
      run.points = run.points.filter((_, index, { length }) => index % 2 === 0 || index === length - 1);
    }
  }

  #starts(): Point[] {
    return this.#runs.map(({ points }) => points[0]!);
  }
}

function move(run: Run, seconds: number): void {
  run.points = run.points.map((point) => ({ offset: point.offset, seconds: point.seconds + seconds }));
}
