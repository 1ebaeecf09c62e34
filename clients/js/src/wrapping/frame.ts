/** One encoded frame. */
export interface Frame {
  data: Uint8Array;
  /** What the libraries know of it. */
  header: object;
  /** Number of its samples per channel. */
  samples: number;
  sampleRate: number;
  /** Time of its first sample, in seconds from the start of the audio. */
  time: number;
  /** Offset in the stream after its last byte; in Ogg of its page, and at most a kilobyte too high after other data. */
  end: number;
  /** Tells frames apart that need different decoder settings. */
  settings: string;
}

/** Finds the frames in the bytes of a stream. */
export interface FrameReader {
  /** Whether frames carry their time, rather than that they have to be counted. */
  readonly exact: boolean;
  /** Most bytes between two places in the stream at which frames can be found after a restart, so far. */
  readonly syncBytes: number;
  /** Takes the bytes that follow the last ones; returns the frames that are complete. */
  read(bytes: Uint8Array<ArrayBuffer>): Frame[];
  /** Returns the frames that remain at the end of the stream. An incomplete one is dropped. */
  finish(): Frame[];
  /** The next bytes start at `offset`, at about `seconds`. */
  restart(offset: number, seconds: number): void;
}

/** Audio is read in slices of so many bytes, so that it is known where in the stream a frame was found. */
export const SLICE_BYTES = 1024;

/** Bytes after a frame without which it is not taken for one. */
const LOOKAHEAD_BYTES = 16;

/** Returns slices of `bytes` of {@link SLICE_BYTES} at most. */
export function* slices(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES);
}

/**
 * Returns the offset after a frame or page of `length` bytes.
 *
 * @param before offset after the one before.
 * @param fed offset after the slice in which it was completed.
 */
export function offsetAfter(before: number, length: number, fed: number): number {
  return Math.min(fed, Math.max(before + length, fed - SLICE_BYTES - LOOKAHEAD_BYTES));
}
