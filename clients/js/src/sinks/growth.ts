import { existingBytes, type StreamUrl } from "./stored.js";

/** How often audio must have grown while the element waits, to show that its connection is dead. */
const GROWTHS = 2;

/** Finds out whether growing audio grows while an element that plays it gets nothing. */
export class Growth {
  readonly #url: StreamUrl;
  #sizes: number[] = [];

  constructor(url: StreamUrl) {
    this.#url = url;
  }

  /** The element got something. */
  reset(): void {
    this.#sizes = [];
  }

  /** Asks how much audio there is. Returns whether it has grown repeatedly since the last reset. */
  async look(): Promise<boolean> {
    const sizes = this.#sizes;
    let size: number;
    try {
      size = await existingBytes(this.#url);
    } catch {
      return false; // The server cannot be reached, or rejects the request: nothing is known.
    }
    if (sizes.length === 0 || size > sizes.at(-1)!) sizes.push(size);
    return sizes === this.#sizes && sizes.length > GROWTHS;
  }
}
