import type { WavFormat } from "./format.js";

/** Samples of one format that follow each other without anything between them. */
export interface WavRun {
  format: WavFormat;
  /** Offset of the first sample in the stream. */
  start: number;
  /** Offset after the last sample as the header has it, which may be wrong: too small, too large, or made up. */
  announcedEnd: number;
  /** Offset after the last byte of the file as the header has it; just as unreliable. */
  fileEnd: number;
}

/** What is found in a WAV stream. */
export type WavEvent =
  /** Samples begin. The first event is always this, or "failed". */
  | { kind: "run"; run: WavRun }
  /** Whole frames of the last run, from `offset` on. */
  | { kind: "samples"; offset: number; bytes: Uint8Array }
  /** The last run ends before `offset`. */
  | { kind: "end"; offset: number }
  /** Nothing can be read, from `offset` on. No events follow, unless after a restart. */
  | { kind: "failed"; offset: number; reason: WavFault };

/** Why there is nothing to hear: the bytes are no WAV file, or one without PCM, A-law or mu-law. */
export type WavFault = "not-wav" | "unsupported";
