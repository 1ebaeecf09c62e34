import type { WavRun } from "./events.js";

/** A run of samples on the time line. */
export interface TimedRun extends WavRun {
  /** Time of the first sample. */
  seconds: number;
  /** Offset after the last sample; null while it is unknown. */
  end: number | null;
}

/** Relates offsets in a WAV stream to seconds of audio, exactly where its headers were read. */
export class WavTimeline {
  /** Ascending by `start`. */
  readonly #runs: TimedRun[] = [];
  #total: number | null = null;

  /** The runs so far, by offset. */
  get runs(): readonly Readonly<TimedRun>[] {
    return this.#runs;
  }

  /** Adds a run that starts at `seconds`, or corrects when it does. */
  add(run: WavRun, seconds: number): void {
    const known = this.#runs.find(({ start }) => start === run.start);
    if (known !== undefined) {
      known.seconds = seconds;
      return;
    }
    this.#runs.push({ ...run, seconds, end: null });
    this.#runs.sort((one, other) => one.start - other.start);
  }

  /** The run that contains the byte before `offset` ends there. */
  finish(offset: number): void {
    const run = this.runAt(offset);
    if (run !== null) run.end = offset;
  }

  /** Sets the size of the stream. */
  setTotal(bytes: number): void {
    this.#total = bytes;
  }

  /** Returns the last run that starts at or before `offset`; null if none does. */
  runAt(offset: number): TimedRun | null {
    return this.#runs.filter(({ start }) => start <= offset).at(-1) ?? null;
  }

  /** Returns the offset of the frame at `seconds`; null before the first header was read. */
  byteAt(seconds: number): number | null {
    const index = Math.max(0, this.#runs.filter((run) => run.seconds <= seconds).length - 1);
    const run = this.#runs[index];
    if (run === undefined) return null;
    const { sampleRate, frameBytes } = run.format;
    const frame = Math.max(0, Math.round((seconds - run.seconds) * sampleRate));
    const offset = run.start + frame * frameBytes;
    if (run.end === null || offset < run.end) return offset;
    return this.#runs[index + 1]?.start ?? run.end;
  }

  /** Returns the time of `offset`, which is that of the next sample; null before the first header was read. */
  secondsAt(offset: number): number | null {
    const run = this.runAt(offset) ?? this.#runs[0];
    if (run === undefined) return null;
    const { sampleRate, frameBytes } = run.format;
    const bytes = Math.max(0, Math.min(offset, run.end ?? Infinity) - run.start);
    return run.seconds + Math.floor(bytes / frameBytes) / sampleRate;
  }

  /** Duration of the audio; null while the size of the stream is unknown: what a header says about it may be made up. */
  get totalSeconds(): number | null {
    const last = this.#runs.at(-1);
    if (last === undefined || this.#total === null) return null;
    return this.secondsAt(last.end ?? (this.#isExact(last, this.#total) ? last.announcedEnd : this.#total));
  }

  /** Whether the sizes in the header of a run agree with that of the stream. */
  #isExact({ announcedEnd, fileEnd }: TimedRun, total: number): boolean {
    const ends = [total, total + 1];
    return announcedEnd <= total && (ends.includes(fileEnd) || ends.includes(announcedEnd + (announcedEnd % 2)));
  }
}
