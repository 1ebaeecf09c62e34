import type { JoinStream } from "./protocol.js";

/** A piece of audio, and its offset in the stream. */
export interface Piece {
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * A listener's offset in a stream, over all its connections.
 *
 * The server may be at another offset: that of an earlier request, whose chunks are still in flight, or one that was sent
 * before. Only bytes that follow the last one accepted are accepted, so there are no gaps and no repeats.
 */
export class StreamCursor {
  readonly streamId: string;
  #offset: number;
  #epoch: string | null;
  #received = 0;
  /** Offset of the next chunk; null while chunks answer no current request. */
  #next: number | null = null;
  #awaited: number | null = null;

  /** @param offset of the first byte wanted. @param epoch that the offset belongs to; null for any. */
  constructor(streamId: string, offset = 0, epoch: string | null = null) {
    this.streamId = streamId;
    this.#offset = offset;
    this.#epoch = epoch;
  }

  /** Offset of the next byte wanted. */
  get offset(): number {
    return this.#offset;
  }

  /** Epoch of the bytes; null before the first `start_of_stream`. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** Bytes accepted, over all connections and seeks. */
  get received(): number {
    return this.#received;
  }

  /** Whether the server has answered the last request, so that chunks are accepted. */
  get flowing(): boolean {
    return this.#next !== null;
  }

  /** Returns the payload of `join_stream`. `window` is in bytes. */
  join(window: number, wait: boolean, token?: string): JoinStream {
    this.#await(this.#offset);
    const request: JoinStream = { stream_id: this.streamId, offset: this.#offset, window, wait };
    if (this.#epoch !== null) request.epoch = this.#epoch;
    if (token !== undefined) request.token = token;
    return request;
  }

  /** Continues at byte `offset`: rejects chunks until the server has started there. */
  seek(offset: number): void {
    this.#offset = offset;
    this.#await(offset);
  }

  /** The connection was lost: rejects chunks until the next join is answered. */
  disconnected(): void {
    this.#next = null;
    this.#awaited = null;
  }

  /** Takes a `start_of_stream`. Returns whether it answers the last request. */
  start(offset: number, epoch: string): boolean {
    if (this.#awaited !== null && offset !== this.#awaited) return false;
    // A start after the awaited one answers an earlier request for the same offset: only new bytes are accepted.
    this.#awaited = null;
    this.#next = offset;
    this.#epoch = epoch;
    return true;
  }

  /** Returns the new bytes of a chunk; null if there are none. */
  take(chunk: Uint8Array<ArrayBuffer>): Piece | null {
    if (this.#next === null) return null;
    const begin = this.#next;
    this.#next += chunk.length;
    if (begin > this.#offset || this.#next <= this.#offset) return null;
    const piece = { offset: this.#offset, bytes: chunk.subarray(this.#offset - begin) };
    this.#offset = this.#next;
    this.#received += piece.bytes.length;
    return piece;
  }

  #await(offset: number): void {
    this.#next = null;
    this.#awaited = offset;
  }
}
