import type { PlacedAt, Position, Subscribed } from "./protocol.js";

/** Asks for everything that is kept. */
const BEGINNING: Position = { epoch: "", seq: 0 };

/** What to do after the server has confirmed a subscription. */
export type AfterConfirmation =
  /** Nothing: updates follow, with their places. */
  | "go on"
  /** Subscribe again, with the place that is now known: from then on updates come with theirs. */
  | "subscribe again"
  /** Say that updates may have been lost for good; those that follow come with their places. */
  | "gap";

/**
 * How far a watch has come in the updates of its client, over all its connections.
 *
 * A subscriber is told the places of updates when it says where it has come to. One that wants live updates only learns
 * that place from its first confirmation, and subscribes again with it; what comes in between is sent again then.
 */
export class UpdatePositions {
  #last: Position | null;

  /** @param history whether to begin with the updates that are kept, rather than with live ones. */
  constructor(history: boolean) {
    this.#last = history ? BEGINNING : null;
  }

  /** The place of the last update that was taken; null before anything is known. */
  get last(): Position | null {
    return this.#last;
  }

  /** Returns what to say as `since`; undefined for nothing. */
  get since(): Position | undefined {
    return this.#last ?? undefined;
  }

  /** Takes the confirmation of a subscription. */
  confirmed(message: Subscribed): AfterConfirmation {
    const { epoch, seq, recovered } = message;
    if (epoch === undefined || seq === undefined) return "go on";
    if (recovered === undefined) {
      this.#last = { epoch, seq };
      return "subscribe again";
    }
    if (recovered) {
      // Until the first update has come, what follows the beginning of the epoch is what may be missed.
      if (this.#last?.epoch === "") this.#last = { epoch, seq: 0 };
      return "go on";
    }
    this.#last = { epoch, seq };
    return "gap";
  }

  /** Returns whether an update at that place is new, and takes it as the last one then. */
  take(place: PlacedAt): boolean {
    if (this.#last !== null && place.epoch === this.#last.epoch && place.seq <= this.#last.seq) return false;
    this.#last = { epoch: place.epoch, seq: place.seq };
    return true;
  }
}
