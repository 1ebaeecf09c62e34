import { Access } from "./access.js";
import type { Channel, Connections } from "./connections.js";
import { Credit, widerWindow } from "./credit.js";
import { StreamCursor, type Piece } from "./cursor.js";
import { EpochChangedError, errorOf, NOTICES, refused, type AsfError } from "./errors.js";
import {
  AUDIO_NAMESPACE,
  type AudioControl,
  type ErrorMessage,
  type StartOfStream,
  type StreamStatus,
} from "./protocol.js";
import { retryDelay } from "./retries.js";
import type { SinkState } from "./sinks/sink.js";

/** What a session reports to its playback. */
export interface SessionHost {
  /** The connection is open, for the first time or again. */
  connected(): void;
  /** The connection was lost. */
  changed(): void;
  /** The server answered the last join or seek: chunks follow. */
  started(message: StartOfStream): void;
  /** New bytes of the stream: in order, without gaps or repeats. */
  received(piece: Piece): void;
  /** The server sent the last byte of the stream. */
  completed(totalBytes: number): void;
  /** An `audio_control` of this stream, after it took effect. */
  control(message: AudioControl): void;
  /** A `stream_status` of this stream. */
  status(message: StreamStatus): void;
  /** The session failed; it does not retry. */
  failed(error: AsfError): void;
}

/**
 * One listener's session with the server, over all its connections.
 *
 * It joins at the current offset and epoch whenever the connection opens, retries after temporary errors, and grants
 * credit. It is left for good with `leave`.
 */
export class Session {
  readonly #streamId: string;
  readonly #wait: boolean;
  readonly #host: SessionHost;
  readonly #access: Access;
  readonly #cursor: StreamCursor;
  readonly #channel: Channel;
  #credit = new Credit();
  /** A join was sent and has neither ended nor failed. */
  #joined = false;
  #complete = false;
  #left = false;
  /** Retries since audio last arrived. */
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** @param token returns the current token; undefined where there is none. */
  constructor(
    connections: Connections,
    streamId: string,
    options: { wait?: boolean; offset?: number; epoch?: string },
    token: () => string | undefined,
    host: SessionHost,
  ) {
    this.#streamId = streamId;
    this.#wait = options.wait ?? false;
    this.#host = host;
    this.#access = new Access(token);
    this.#cursor = new StreamCursor(streamId, options.offset ?? 0, options.epoch ?? null);
    this.#channel = connections.open(AUDIO_NAMESPACE, (socket) => {
      socket.on("connect", () => {
        if (!this.#left && !this.#complete) this.#join();
        host.connected();
      });
      socket.on("connect_error", (error) => {
        if (!socket.active) host.failed(refused(error));
      });
      socket.on("disconnect", () => {
        this.#joined = false;
        this.#cursor.disconnected();
        host.changed();
      });
      socket.on("stream_status", (message: StreamStatus) => {
        if (message.stream_id === streamId) host.status(message);
      });
      socket.on("audio_control", (message: AudioControl) => this.#onControl(message));
      socket.on("audio_chunk", (chunk: unknown) => {
        // The server's simulation sends text.
        if (chunk instanceof ArrayBuffer) this.#onChunk(new Uint8Array(chunk));
      });
      socket.on("stream_error", (message: ErrorMessage) => this.#onError(errorOf(message)));
      socket.on("error", (message: ErrorMessage) => this.#onCommandError(errorOf(message)));
    });
  }

  /** Whether a join was sent and has neither ended nor failed. */
  get joined(): boolean {
    return this.#joined;
  }

  /** Bytes received, over all connections and seeks. */
  get received(): number {
    return this.#cursor.received;
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.#cursor.offset;
  }

  /** Epoch of the audio; null before the stream has started. */
  get epoch(): string | null {
    return this.#cursor.epoch;
  }

  /** Continues at byte `offset`. */
  seek(offset: number): void {
    this.#complete = false;
    this.#cursor.seek(offset);
    if (this.#joined) this.#channel.socket.emit("seek_stream", { offset });
    else this.#join();
  }

  /** Acknowledges as many bytes as the sink has room for. To be called whenever its state changes. */
  grant(sink: SinkState | null): void {
    if (!this.#cursor.flowing || !this.#joined) return;
    const received = this.#cursor.offset;
    const consumed = received - (sink?.pendingBytes ?? 0);
    const { aheadSeconds, bytesPerSecond } = sink ?? { aheadSeconds: 0, bytesPerSecond: null };
    const acknowledged = this.#credit.next({ received, consumed, aheadSeconds, bytesPerSecond });
    if (acknowledged === null) return;
    const wider = widerWindow(this.#credit.window, bytesPerSecond);
    if (wider === null) {
      this.#channel.socket.emit("audio_ack", { received: acknowledged });
    } else {
      // The window is fixed for the life of a session, so this joins again at the same byte.
      this.#credit = new Credit(wider);
      this.#join();
    }
  }

  /** Leaves the stream. The session does not join again when the connection reopens. */
  leave(): void {
    this.#left = true;
    clearTimeout(this.#retry);
    if (this.#joined) this.#channel.socket.emit("leave_stream", { stream_id: this.#streamId });
    this.#joined = false;
    this.#cursor.disconnected();
  }

  /** Leaves the stream and gives the channel back. */
  close(): void {
    this.leave();
    this.#channel.close();
  }

  #join(): void {
    clearTimeout(this.#retry);
    const { socket } = this.#channel;
    if (!socket.connected) return; // `connect` joins.
    socket.emit("join_stream", this.#cursor.join(this.#credit.window, this.#wait, this.#access.current()));
    this.#joined = true;
  }

  #onControl(message: AudioControl): void {
    if (message.stream_id !== this.#streamId) return;
    if (message.event === "start_of_stream") {
      this.#onStart(message);
    } else if (this.#cursor.flowing) {
      this.#joined = false;
      this.#complete = true;
      this.#host.completed(message.total_bytes);
    }
    this.#host.control(message);
  }

  #onStart(message: StartOfStream): void {
    const { epoch } = this.#cursor;
    if (epoch !== null && epoch !== message.epoch) {
      const options = { epoch: message.epoch };
      this.#host.failed(new EpochChangedError("The audio for this stream was regenerated.", options));
    } else if (this.#cursor.start(message.offset, message.epoch)) {
      this.#credit.restart(message.offset);
      this.#host.started(message);
    }
  }

  #onChunk(chunk: Uint8Array<ArrayBuffer>): void {
    const piece = this.#cursor.take(chunk);
    if (piece === null) return;
    this.#attempts = 0;
    this.#host.received(piece);
  }

  #onError(error: AsfError): void {
    this.#joined = false;
    if (error.code === "ASF_UNAUTHORIZED" && this.#access.isRenewed) {
      this.#cursor.disconnected();
      this.#join();
      return;
    }
    const hasStarted = this.#cursor.epoch !== null || error.code === "ASF_DRAINING"; // It may have been waiting.
    const delay = hasStarted ? retryDelay(error.code, this.#attempts) : null;
    if (delay === null) {
      this.#host.failed(error);
      return;
    }
    this.#attempts += 1;
    this.#cursor.disconnected();
    this.#retry = setTimeout(() => this.#join(), delay * 1000);
  }

  #onCommandError(error: AsfError): void {
    if (error.code === "ASF_INVALID_ACK" || NOTICES.has(error.code)) return; // The ack crossed with a seek.
    if (error.code !== "ASF_NO_SESSION") this.#onError(error);
    // A seek that crossed with the end of its session needs a new one.
    else if (this.#joined && !this.#cursor.flowing) this.#join();
  }
}
