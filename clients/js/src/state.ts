/** What a playback is doing. */
export type PlaybackState =
  /** Nothing has been heard of the server yet. */
  | "connecting"
  /** The stream is not announced yet. */
  | "waiting"
  /** The stream has begun; there is not enough of it to play. */
  | "buffering"
  | "playing"
  | "paused"
  /** It was playing, and has run out of audio; it goes on by itself as soon as there is more. */
  | "stalled"
  /** All of it was played, or it was stopped. */
  | "ended"
  /** It will not go on; the `error` event said why. */
  | "failed";

/** What is known of a playback. */
export interface PlaybackFacts {
  failed: boolean;
  ended: boolean;
  /** The server answered that nothing is announced yet. */
  waiting: boolean;
  /** The stream has begun. */
  started: boolean;
  /** It is meant to play, rather than to pause. */
  wanted: boolean;
  /** Sound has been heard since the beginning, or since the last seek. */
  heard: boolean;
  /** There is nothing to play at the playhead. */
  starved: boolean;
}

/** Returns the state that the facts amount to. */
export function stateOf(facts: PlaybackFacts): PlaybackState {
  if (facts.failed) return "failed";
  if (facts.ended) return "ended";
  if (!facts.started) return facts.waiting ? "waiting" : "connecting";
  if (!facts.wanted) return "paused";
  if (!facts.starved) return "playing";
  return facts.heard ? "stalled" : "buffering";
}
