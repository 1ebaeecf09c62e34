import type { AsfError } from "../errors.js";

/** What a sink reports. */
export interface SinkHost {
  /** Something changed: audio was decoded, the playhead moved, or sound started or stopped. */
  changed(): void;
  /** The user pressed pause (false) or play (true) on the audio element's own controls. */
  wanted(playing: boolean): void;
  /** The user used the audio element's own controls to seek to a time that is not buffered. */
  sought(seconds: number): void;
  /** The sink needs the bytes from `offset` on: those that were asked for do not have the time that was sought. */
  fetch(offset: number): void;
  /** The sink failed for good. */
  failed(error: AsfError): void;
  /** The browser has taken the sink's source away, when it was at `seconds`. */
  lost(seconds: number): void;
}

/** What a sink has done with the audio. */
export interface SinkState {
  /** Bytes appended and not decoded yet. */
  readonly pendingBytes: number;
  /** The playhead. */
  readonly currentTime: number;
  /** Seconds of audio ahead of the playhead. */
  readonly aheadSeconds: number;
  /** Whether there is nothing to play at the playhead. */
  readonly underrun: boolean;
  /** Whether all audio was played. */
  readonly ended: boolean;
  /** Duration of the complete audio; null while it is unknown. */
  readonly totalSeconds: number | null;
  /** Current byte rate; null while it is unknown. */
  readonly bytesPerSecond: number | null;
}

/** Plays audio. All offsets are in bytes of the stream, all times in seconds of the audio. */
export interface Sink extends SinkState {
  /** Takes the bytes that follow the last ones. */
  append(bytes: Uint8Array<ArrayBuffer>): void;
  /** No more bytes follow, unless after `restart`. */
  end(): void;
  /** Plays as soon as there is audio. Rejects with `ASF_CLIENT_AUTOPLAY_BLOCKED`. */
  play(): Promise<void>;
  pause(): void;
  /** Moves the playhead if that time is buffered. Returns whether it is. */
  jump(seconds: number): boolean;
  /** Returns the offset to fetch from in order to play from `seconds`; null while the rate is unknown. */
  byteAt(seconds: number): number | null;
  /** Returns the estimated time of `offset`; null while the rate is unknown. */
  secondsAt(offset: number): number | null;
  /**
   * Drops everything: the next bytes appended start at `offset`, at about `seconds`. Null: at {@link secondsAt}, or 0,
   * once that can be known.
   *
   * @param isTimeAsked whether to play from that very time if the audio tells it, rather than from `offset`.
   */
  restart(offset: number, seconds: number | null, isTimeAsked?: boolean): void;
  /** Sets the size of the complete audio. */
  setTotal(bytes: number): void;
  /** The connection to the server was restored. */
  reconnected(): void;
  /** Stops, and releases everything. */
  close(): void;
}
