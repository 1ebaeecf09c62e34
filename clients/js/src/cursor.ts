import type { JoinStream } from "./protocol.js";

/** A piece of audio and the stream's byte that it begins with. */
export interface Piece {
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Where a listener is in a stream, over all its connections.
 *
 * The server may be somewhere else: at the place of an earlier request whose chunks are still on their way, or at a
 * place that was sent before. Only what follows on the last byte taken is taken, so there is no gap and no repeat.
 */
export class StreamCursor {
  readonly streamId: string;
  #position: number;
  #epoch: string | null;
  #received = 0;
  /** The byte that the next chunk begins with; null while chunks belong to nothing that was asked for. */
  #next: number | null = null;
  #awaited: number | null = null;

  /** @param offset the first byte wanted. @param epoch what the offset belongs to; null for any. */
  constructor(streamId: string, offset = 0, epoch: string | null = null) {
    this.streamId = streamId;
    this.#position = offset;
    this.#epoch = epoch;
  }

  /** The next byte wanted. */
  get position(): number {
    return this.#position;
  }

  /** The epoch that the bytes belong to; null before the first start of the stream. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** Bytes taken, over all connections and seeks. */
  get received(): number {
    return this.#received;
  }

  /** Whether the server has answered the last request, so that chunks can be taken. */
  get flowing(): boolean {
    return this.#next !== null;
  }

  /** Returns what to send as `join_stream`. `window` is in bytes. */
  join(window: number, wait: boolean, token?: string): JoinStream {
    this.#await(this.#position);
    const request: JoinStream = { stream_id: this.streamId, offset: this.#position, window, wait };
    if (this.#epoch !== null) request.epoch = this.#epoch;
    if (token !== undefined) request.token = token;
    return request;
  }

  /** Goes on at byte `offset`: nothing is taken until the server has started there. */
  seek(offset: number): void {
    this.#position = offset;
    this.#await(offset);
  }

  /** The connection is gone: nothing is taken until the next join is answered. */
  disconnected(): void {
    this.#next = null;
    this.#awaited = null;
  }

  /** Takes a start of the stream. Returns whether it is the one that was asked for. */
  start(offset: number, epoch: string): boolean {
    if (this.#awaited !== null && offset !== this.#awaited) return false;
    // A later start than the awaited one answers an earlier request for the same place: only what is new is taken.
    this.#awaited = null;
    this.#next = offset;
    this.#epoch = epoch;
    return true;
  }

  /** Returns what is new in a chunk; null when nothing is. */
  take(chunk: Uint8Array<ArrayBuffer>): Piece | null {
    if (this.#next === null) return null;
    const begin = this.#next;
    this.#next += chunk.length;
    if (begin > this.#position || this.#next <= this.#position) return null;
    const piece = { offset: this.#position, bytes: chunk.subarray(this.#position - begin) };
    this.#position = this.#next;
    this.#received += piece.bytes.length;
    return piece;
  }

  #await(offset: number): void {
    this.#next = null;
    this.#awaited = offset;
  }
}
