import type { Piece } from "./cursor.js";
import type { AsfError } from "./errors.js";
import type { AudioControl, StartOfStream, StreamStatus } from "./protocol.js";

/** What a session reports to its playback. */
export interface SessionHost {
  /** The connection is open, for the first time or again. */
  connected(): void;
  /** The connection was lost. */
  changed(): void;
  /** The server answered the last join or seek: chunks follow, unless the session only follows the stream. */
  started(message: StartOfStream): void;
  /** New bytes of the stream: in order, without gaps or repeats. */
  received(piece: Piece): void;
  /** The server sent the last byte of the stream; to a session that follows it, that it is complete. */
  completed(totalBytes: number): void;
  /** An `audio_control` of this stream, after it took effect. */
  control(message: AudioControl): void;
  /** Cues of this stream, as the server sends them. */
  cues(cues: readonly unknown[]): void;
  /** A `stream_status` of this stream. */
  status(message: StreamStatus): void;
  /** A temporary error interrupted the session, which joins again by itself. */
  retrying(error: AsfError): void;
  /** The session failed, and is closed. */
  failed(error: AsfError): void;
}
