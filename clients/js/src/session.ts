import type { Tokens } from "./access.js";
import type { Connections } from "./connections.js";
import { Credit, widerWindow } from "./credit.js";
import { StreamCursor } from "./cursor.js";
import { clientError, EpochChangedError, errorOf, NOTICES, type AsfError } from "./errors.js";
import { ANSWER_PATIENCE_MS, Expectation, STATUS_PATIENCE_MS } from "./expectation.js";
import { Joining } from "./joining.js";
import {
  MAX_OFFSET,
  type AudioControl,
  type ErrorMessage,
  type JoinStream,
  type StartOfStream,
  type StreamCues,
  type StreamStatus,
} from "./protocol.js";
import type { SessionHost } from "./session_host.js";
import type { SinkState } from "./sinks/sink.js";

export type { SessionHost } from "./session_host.js";

/**
 * One listener's session with the server, over all its connections.
 *
 * It joins at the current offset and epoch whenever the connection opens, and again after temporary errors, with a token
 * that is asked for each time. It grants credit. When the stream is complete, it gives its connection back, until a seek
 * needs one.
 */
export class Session {
  readonly #streamId: string;
  readonly #wait: boolean;
  readonly #wantsCues: boolean;
  readonly #host: SessionHost;
  readonly #cursor: StreamCursor;
  readonly #expectation = new Expectation();
  readonly #joining: Joining;
  #credit = new Credit();
  #hasStarted = false;
  /** The server answered that the stream is not announced yet. */
  #isWaiting = false;
  /** The offset to report while the session only follows the stream; null while it carries audio. */
  #heldOffset: number | null = null;
  /** Number of the last cue that has come. */
  #cuesSince = 0;
  #hasEnded = false;
  #closed = false;

  constructor(
    connections: Connections,
    streamId: string,
    options: { wait?: boolean; offset?: number; epoch?: string; cues?: boolean },
    tokens: Tokens,
    host: SessionHost,
  ) {
    this.#streamId = streamId;
    this.#wait = options.wait ?? false;
    this.#wantsCues = options.cues ?? false;
    this.#host = host;
    this.#cursor = new StreamCursor(streamId, options.offset ?? 0, options.epoch ?? null);
    this.#joining = new Joining(connections, tokens, this.#wait, {
      request: (token) => this.#request(token),
      hasStarted: () => this.#hasStarted,
      connected: () => host.connected(),
      disconnected: () => {
        this.#cursor.disconnected();
        host.changed();
      },
      received: (event, [detail]) => this.#received(event, detail),
      retrying: (error) => {
        this.#cursor.disconnected();
        host.retrying(error);
      },
      failed: (error) => this.#fail(error),
      patience: () => this.#patience(),
      answered: () => this.#answered(),
    });
    this.#joining.join();
  }

  /** Whether a join was sent and has neither ended nor failed. */
  get joined(): boolean {
    return this.#joining.joined;
  }

  /** Bytes received, over all connections and seeks. */
  get received(): number {
    return this.#cursor.received;
  }

  /** Offset of the next byte; while the session only follows the stream, the last one before. */
  get offset(): number {
    return this.#heldOffset ?? this.#cursor.offset;
  }

  /** Epoch of the audio; null before the stream has started. */
  get epoch(): string | null {
    return this.#cursor.epoch;
  }

  /** Number of the last cue that has come. */
  get cuesSince(): number {
    return this.#cuesSince;
  }

  /** The server has sent the end of the stream, and what it has now is not asked for. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Continues at byte `offset`. */
  seek(offset: number): void {
    this.#heldOffset = null;
    this.#goTo(offset);
  }

  /**
   * Receives no more audio, only the state of the stream: its end and size, failure, regeneration and stalls.
   *
   * It seeks beyond any end: there the server sends no audio while the stream grows, and the end at once when it is
   * complete (contract, section 3).
   */
  follow(): void {
    if (this.#heldOffset !== null && this.#joining.isOpen) return;
    this.#heldOffset ??= this.#cursor.offset;
    this.#goTo(MAX_OFFSET);
  }

  /** Acknowledges as many bytes as the sink has room for. To be called whenever its state changes. */
  grant(sink: SinkState | null): void {
    if (!this.#cursor.flowing || !this.joined || this.#heldOffset !== null) return;
    const received = this.#cursor.offset;
    const consumed = received - (sink?.pendingBytes ?? 0);
    const { aheadSeconds, bytesPerSecond } = sink ?? { aheadSeconds: 0, bytesPerSecond: null };
    this.#expectation.stored(aheadSeconds);
    const acknowledged = this.#credit.next({ received, consumed, aheadSeconds, bytesPerSecond });
    if (acknowledged === null) return;
    const wider = widerWindow(this.#credit.window, bytesPerSecond);
    if (wider === null) {
      this.#joining.emit("audio_ack", { received: acknowledged });
    } else {
      // The window is fixed for the life of a session, so this joins again at the same byte.
      this.#credit = new Credit(wider);
      this.#joining.join();
    }
  }

  /** Takes cues, however they came. */
  takeCues({ stream_id, epoch, cues, seq }: StreamCues): void {
    if (!this.#wantsCues || !this.#hasStarted || stream_id !== this.#streamId || epoch !== this.#cursor.epoch) return;
    this.#cuesSince = seq;
    this.#host.cues(cues);
  }

  /** Leaves the stream, if it is joined, and gives the connection back. `seek` and `follow` join again. */
  rest(): void {
    this.#cursor.disconnected();
    this.#joining.rest(["leave_stream", { stream_id: this.#streamId }]);
  }

  /** Leaves for good, and gives everything back. The host is not called any more. */
  close(): void {
    this.#closed = true;
    this.rest();
  }

  #goTo(offset: number): void {
    if (this.#closed) return;
    this.#hasEnded = false;
    this.#cursor.seek(offset);
    if (this.joined) this.#joining.emit("seek_stream", { offset });
    else this.#joining.join();
  }

  #request(token: string | undefined): JoinStream {
    this.#isWaiting = false;
    // A stream that has started and is gone is not waited for.
    const request = this.#cursor.join(this.#credit.window, this.#wait && !this.#hasStarted, token);
    return this.#wantsCues ? { ...request, cues: true, cues_since: this.#cuesSince } : request;
  }

  /** Longest silence in milliseconds while something is due; null while nothing is. */
  #patience(): number | null {
    if (!this.joined) return null;
    if (this.#isWaiting || this.#heldOffset !== null) return STATUS_PATIENCE_MS;
    if (!this.#cursor.flowing) return ANSWER_PATIENCE_MS;
    return this.#expectation.patienceForAudio(this.#cursor.offset, this.#credit.limit);
  }

  #answered(): void {
    if (!this.joined || !this.#cursor.flowing || this.#heldOffset !== null) return;
    if (this.#expectation.withholds(this.#cursor.offset, this.#credit.limit)) this.#joining.join();
  }

  #received(event: string, detail: unknown): void {
    switch (event) {
      case "audio_chunk":
        // The server's simulation sends text.
        if (detail instanceof ArrayBuffer) this.#onChunk(new Uint8Array(detail));
        break;
      case "audio_control":
        this.#onControl(detail as AudioControl);
        break;
      case "stream_cues":
        this.takeCues(detail as StreamCues);
        break;
      case "stream_status":
        this.#onStatus(detail as StreamStatus);
        break;
      case "stream_error":
        this.#onStreamError(detail as ErrorMessage);
        break;
      case "error":
        this.#onCommandError(errorOf(detail as ErrorMessage));
        break;
    }
  }

  #onStatus(message: StreamStatus): void {
    if (message.stream_id !== this.#streamId) return;
    if (message.status === "waiting") this.#isWaiting = true;
    if (message.status === "waiting" || message.status === "joined") this.#joining.access.accepted();
    this.#host.status(message);
  }

  #onControl(message: AudioControl): void {
    if (message.stream_id !== this.#streamId) return;
    if (message.event === "start_of_stream") {
      this.#onStart(message);
    } else if (message.event === "end_of_stream" && this.#cursor.flowing) {
      this.#joining.joined = false; // The session has ended: there is nothing to leave.
      this.#hasEnded = true;
      this.rest();
      this.#host.completed(message.total_bytes);
    }
    if (!this.#closed) this.#host.control(message);
  }

  #onStart(message: StartOfStream): void {
    const { epoch } = this.#cursor;
    if (typeof message.offset !== "number" || typeof message.epoch !== "string") {
      const details = "It does not say at which offset the audio starts.";
      this.#fail(clientError("ASF_CLIENT_REFUSED", "The server is of another version.", { details }));
    } else if (epoch !== null && epoch !== message.epoch) {
      const options = { epoch: message.epoch };
      this.#fail(new EpochChangedError("The audio for this stream was regenerated.", options));
    } else if (this.#cursor.start(message.offset, message.epoch)) {
      this.#hasStarted = true;
      this.#isWaiting = false;
      this.#credit.restart(message.offset);
      this.#expectation.started(message);
      if (this.#heldOffset !== null) this.#joining.progressed(); // No audio will show it.
      this.#host.started(message);
    }
  }

  #onChunk(chunk: Uint8Array<ArrayBuffer>): void {
    const piece = this.#cursor.take(chunk);
    if (piece === null) return;
    this.#joining.progressed();
    this.#expectation.received();
    this.#host.received(piece);
  }

  #onStreamError(message: ErrorMessage): void {
    if ((message.stream_id ?? this.#streamId) === this.#streamId) this.#joining.interrupted(errorOf(message));
  }

  #onCommandError(error: AsfError): void {
    if (NOTICES.has(error.code)) return;
    // The acknowledgement crossed with a seek or a join: it is given again.
    if (error.code === "ASF_INVALID_ACK") this.#credit.rejected();
    else if (error.code !== "ASF_NO_SESSION") this.#joining.interrupted(error);
    // A seek that crossed with the end of its session needs a new one.
    else if (this.joined && !this.#cursor.flowing) this.#joining.join();
  }

  #fail(error: AsfError): void {
    this.close();
    this.#host.failed(error);
  }
}
