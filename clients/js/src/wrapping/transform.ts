/** A part of the audio that a SourceBuffer can take. */
export interface Segment {
  bytes: Uint8Array<ArrayBuffer>;
  /** Offset in the stream after the last byte that the segment was made of. */
  end: number;
}

/**
 * Turns the bytes of a stream into what a SourceBuffer takes.
 *
 * Segments come in order. Each is made of whole frames or of a part of a container's stream; concatenated they can be
 * parsed, from the first one or from the first one after `restart`.
 */
export interface Transform {
  /** Whether segments have timestamps. Where they have none, the SourceBuffer plays one after another. */
  readonly timed: boolean;
  /** Whether a segment ends where a parser needs nothing of what follows; true if left out. */
  readonly isWhole?: boolean;
  /** Whether the timestamps come from the audio, rather than from counting from `restart`'s seconds. */
  readonly exact: boolean;
  /** The timestamp at which the audio starts, in seconds; 0 if left out. */
  readonly start?: number;
  /** Most bytes between two places at which the audio can be entered, so far; 0 if left out: anywhere. */
  readonly syncBytes?: number;
  /** Takes the bytes that follow the last ones; returns the segments that they complete. Throws if they are no such audio. */
  push(bytes: Uint8Array<ArrayBuffer>): Segment[];
  /** Returns what remains: no more bytes follow, unless after `restart`. */
  flush(): Segment[];
  /** The next bytes start at `offset`, at about `seconds`. */
  restart(offset: number, seconds: number): void;
}

/** A transform that relates bytes of the stream and seconds of the audio exactly. */
export interface RelatingTransform extends Transform {
  readonly bytesPerSecond: number | null;
  readonly totalSeconds: number | null;
  byteAt(seconds: number): number | null;
  secondsAt(offset: number): number | null;
  setTotal(bytes: number): void;
}
