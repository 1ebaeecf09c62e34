import type { AsfError } from "../errors.js";

/** What a sink tells its playback. */
export interface SinkHost {
  /** Something has changed: audio was taken, the playhead moved, it began or ceased to sound. */
  changed(): void;
  /** The user paused (false) or played (true) by the audio element's own controls. */
  wanted(playing: boolean): void;
  /** The user went, by the audio element's own controls, to a place that is not buffered. */
  sought(seconds: number): void;
  /** It will not go on. */
  failed(error: AsfError): void;
}

/** What makes audio sound. All positions in bytes are those of the stream, all in seconds those of the audio. */
export interface Sink {
  /** Bytes that were appended and not decoded yet. */
  readonly pendingBytes: number;
  /** The playhead. */
  readonly currentTime: number;
  /** Seconds of audio ahead of the playhead. */
  readonly aheadSeconds: number;
  /** Whether there is nothing to play at the playhead. */
  readonly starved: boolean;
  /** Whether all audio was played. */
  readonly ended: boolean;
  /** Seconds of the whole audio, as far as that is known; null else. */
  readonly totalSeconds: number | null;
  /** Bytes of a second of the audio, lately; null while nothing is known. */
  readonly bytesPerSecond: number | null;
  /** Takes the bytes that follow on the last ones. */
  append(bytes: Uint8Array<ArrayBuffer>): void;
  /** No more bytes will come, unless after `restart`. */
  end(): void;
  /** Begins to sound, as soon as there is something to. Rejects with `ASF_CLIENT_AUTOPLAY_BLOCKED`. */
  play(): Promise<void>;
  pause(): void;
  /** Moves the playhead, where that place is buffered. Returns whether it is. */
  jump(seconds: number): boolean;
  /** Returns the byte to fetch from in order to play from `seconds`; null while nothing is known. */
  byteAt(seconds: number): number | null;
  /** Returns about which second byte `offset` lies at; null while nothing is known. */
  secondsAt(offset: number): number | null;
  /** Drops everything: what is appended next begins with the stream's byte `offset`, at about `seconds`. */
  restart(offset: number, seconds: number): void;
  /** The length of the whole audio in bytes is known. */
  setTotal(bytes: number): void;
  /** The connection to the server is there again after it was lost. */
  reconnected(): void;
  /** Ends, and frees everything. */
  close(): void;
}
