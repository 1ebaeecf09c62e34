import type { StartOfStream } from "./protocol.js";

/** Longest silence in milliseconds while audio is due: with none in store, and with much. */
const EMPTY_MS = 3_000;
const LONGEST_MS = 10_000;

/** How much of the time that is in store may pass in silence. */
const SHARE = 1 / 3;

/** Longest silence in milliseconds while the answer to a join or a seek is due. */
export const ANSWER_PATIENCE_MS = 3_000;

/** Longest silence in milliseconds while only status messages are due: the stream is not announced, or is followed. */
export const STATUS_PATIENCE_MS = 15_000;

/** Answers of a server that sends no audio, though it is complete and granted, after which the session joins again. */
const ANSWERS = 8;

/** What the server owes a session, to distinguish a silent path from a server that has nothing to send. */
export class Expectation {
  #aheadSeconds = 0;
  #chunkSize = 1;
  #totalBytes: number | null = null;
  #answers = 0;

  /** The server answered a join or a seek. */
  started(message: StartOfStream): void {
    this.#chunkSize = message.chunk_size;
    this.#totalBytes = message.total_bytes;
    this.#answers = 0;
  }

  /** Audio arrived. */
  received(): void {
    this.#answers = 0;
  }

  /** Records how many seconds of audio are ahead of the playhead. */
  stored(aheadSeconds: number): void {
    this.#aheadSeconds = aheadSeconds;
  }

  /** Longest silence in milliseconds at `offset`, if the server may send bytes before `limit`; null if it owes nothing. */
  patienceForAudio(offset: number, limit: number): number | null {
    if (!this.#owes(offset, limit)) return null;
    return Math.min(Math.max(this.#aheadSeconds * SHARE * 1000, EMPTY_MS), LONGEST_MS);
  }

  /** Records that the server answered, and sent nothing else. Returns whether it withholds audio. */
  withholds(offset: number, limit: number): boolean {
    if (this.#totalBytes === null || !this.#owes(offset, limit)) return false; // The audio may not be generated yet.
    this.#answers += 1;
    return this.#answers >= ANSWERS;
  }

  #owes(offset: number, limit: number): boolean {
    // Chunks are not split, unless a window is smaller. The last one is shorter; after it the end is due.
    const next = this.#totalBytes === null ? this.#chunkSize : Math.min(this.#chunkSize, this.#totalBytes - offset);
    return limit - offset >= next;
  }
}
