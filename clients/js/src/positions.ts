import type { Position, Subscribed, UpdatePosition } from "./protocol.js";

/** Requests the complete history. */
const BEGINNING: Position = { epoch: "", seq: 0 };

/** What to do after the server has confirmed a subscription. */
export type AfterConfirmation =
  /** Nothing: updates follow, with their positions. */
  | "continue"
  /** Subscribe again with the position that is now known, so that updates come with theirs. */
  | "subscribe again"
  /** Report that updates may have been missed; those that follow come with their positions. */
  | "gap";

/**
 * A watch's position in its client's updates, over all its connections.
 *
 * The server sends positions only to a subscriber that sent `since`. A watch of live updates learns the position from the
 * first confirmation and subscribes again with it; updates that arrive in between are replayed then.
 */
export class UpdatePositions {
  #last: Position | null;

  /** @param history whether to start with the server's history rather than with live updates. */
  constructor(history: boolean) {
    this.#last = history ? BEGINNING : null;
  }

  /** Position of the last update that was accepted; null while it is unknown. */
  get last(): Position | null {
    return this.#last;
  }

  /** The value of `since`; undefined for none. */
  get since(): Position | undefined {
    return this.#last ?? undefined;
  }

  /** Takes the confirmation of a subscription. */
  confirmed(message: Subscribed): AfterConfirmation {
    const { epoch, seq, recovered } = message;
    if (epoch === undefined || seq === undefined) return "continue";
    if (recovered === undefined) {
      this.#last = { epoch, seq };
      return "subscribe again";
    }
    if (recovered) {
      // Until the first update arrives, everything since the start of the epoch may be missed.
      if (this.#last?.epoch === "") this.#last = { epoch, seq: 0 };
      return "continue";
    }
    this.#last = { epoch, seq };
    return "gap";
  }

  /** Returns whether an update at that position is new, and records it. */
  take(position: UpdatePosition): boolean {
    if (this.#last !== null && position.epoch === this.#last.epoch && position.seq <= this.#last.seq) return false;
    this.#last = { epoch: position.epoch, seq: position.seq };
    return true;
  }
}
