import { joined } from "../bytes.js";

/** The bytes of a stream that were received and not read yet. */
export class PendingBytes {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #offset = 0;
  #skipTo = 0;

  /** The bytes. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** A view of the bytes. */
  get view(): DataView<ArrayBuffer> {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  }

  /** Offset of the first one in the stream. */
  get offset(): number {
    return this.#offset;
  }

  /** Adds the bytes that follow. */
  push(bytes: Uint8Array): void {
    this.#bytes = joined(this.#bytes, bytes);
    this.#skip();
  }

  /** Removes so many bytes. */
  drop(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
    this.#offset += length;
  }

  /** Removes all bytes before `offset`, also those that are still to come. */
  skipTo(offset: number): void {
    this.#skipTo = offset;
    this.#skip();
  }

  /** Whether bytes are still to come that are skipped. */
  get isSkipping(): boolean {
    return this.#offset < this.#skipTo;
  }

  /** The next byte pushed is at `offset`. */
  restart(offset: number): void {
    this.#bytes = new Uint8Array(0);
    this.#offset = this.#skipTo = offset;
  }

  /** Gives back the memory of what was dropped. Views of the bytes before stay valid. */
  compact(): void {
    this.#bytes = this.#bytes.slice();
  }

  #skip(): void {
    if (this.isSkipping) this.drop(Math.min(this.#skipTo - this.#offset, this.#bytes.length));
  }
}
