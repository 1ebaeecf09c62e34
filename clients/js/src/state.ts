/** What a playback is doing. */
export type PlaybackState =
  /** The server has not answered yet. */
  | "connecting"
  /** The stream does not exist yet. */
  | "waiting"
  /** The stream has started; not enough audio to play yet. */
  | "buffering"
  | "playing"
  | "paused"
  /** Ran out of audio while playing; continues by itself when more arrives. */
  | "stalled"
  /** Played to the end, or stopped. */
  | "ended"
  /** Failed for good; the `error` event has the reason. */
  | "failed";

/** What determines the state. */
export interface PlaybackFacts {
  failed: boolean;
  ended: boolean;
  /** The server answered that the stream does not exist yet. */
  waiting: boolean;
  /** The stream has started. */
  started: boolean;
  /** It is meant to play, rather than to pause. */
  wanted: boolean;
  /** There was sound since the start, or since the last seek. */
  heard: boolean;
  /** There is nothing to play at the playhead. */
  underrun: boolean;
}

/** Returns the state that follows from the facts. */
export function stateOf(facts: PlaybackFacts): PlaybackState {
  if (facts.failed) return "failed";
  if (facts.ended) return "ended";
  if (!facts.started) return facts.waiting ? "waiting" : "connecting";
  if (!facts.wanted) return "paused";
  if (!facts.underrun) return "playing";
  return facts.heard ? "stalled" : "buffering";
}

/** Whether a playback does nothing by itself in that state. A seek still continues one that has ended. */
export function isOver(state: PlaybackState): boolean {
  return state === "ended" || state === "failed";
}

/** Whether a playback that has started is meant to sound. */
export function playsOn(state: PlaybackState): boolean {
  return state === "playing" || state === "buffering" || state === "stalled";
}
