import type { WavFormat } from "./format.js";
import { WavParser } from "./parser.js";

/** What comes before the first sample of a WAV stream. */
export interface WavHeader {
  /** Offset of the first sample. */
  bytes: number;
  format: WavFormat;
}

/**
 * Reads the beginning of a WAV stream.
 *
 * @returns the header; `"more"` if `head` ends before the samples; null if it is no WAV with samples that can be decoded.
 */
export function wavHeader(head: Uint8Array): WavHeader | "more" | null {
  const [event] = new WavParser().push(head);
  if (event === undefined) return "more";
  return event.kind === "run" ? { bytes: event.run.start, format: event.run.format } : null;
}
