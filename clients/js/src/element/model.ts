import type { PlaybackState } from "../state.js";
import { BLOCKED, clock, errorText, LABELS, positionText, stateText } from "./words.js";

/** Distance from the live edge from which "Go to live" is offered, in seconds. */
export const BEHIND_SECONDS = 10;

/** How far before the end of complete audio a seek stops, in seconds: there is audio to play, and then it ends. */
const LAST_SECONDS = 0.25;

/** What determines what a player shows. All times are in seconds of the audio. */
export interface PlayerFacts {
  /** State of the playback; null before the first one, and after it was stopped. */
  state: PlaybackState | null;
  /** There is a stream to play. */
  hasStream: boolean;
  /** It is meant to play, rather than to pause. */
  wanted: boolean;
  /** The browser blocked playing until the user does something. */
  blocked: boolean;
  /** Why the playback failed. */
  error: { code: string; message: string } | null;
  currentTime: number;
  /** End of the audio that is known to exist. */
  existingSeconds: number;
  /** Duration of the complete audio; null while it is unknown. */
  totalSeconds: number | null;
  /** The audio is still being generated. */
  generating: boolean;
  /** Where the user is dragging the slider to; null where they are not. */
  dragged: number | null;
}

/** What a player shows. */
export interface PlayerView {
  /** What the main button does. */
  action: "play" | "pause";
  actionLabel: string;
  canPlay: boolean;
  /** Announced politely; empty for nothing. */
  status: string;
  /** Why it failed; null if it did not. */
  problem: string | null;
  isBusy: boolean;
  position: { value: number; end: number; text: string; enabled: boolean };
  elapsed: string;
  /** Duration, or what exists of audio that is growing. */
  duration: string;
  isLive: boolean;
  canGoLive: boolean;
}

const BUSY: ReadonlySet<PlaybackState | null> = new Set<PlaybackState>(["connecting", "waiting", "buffering", "stalled"]);
const OVER: ReadonlySet<PlaybackState | null> = new Set<PlaybackState | null>([null, "ended", "failed"]);

/** Returns whether the playback is over, so that playing again needs a new one. */
export function isOver(state: PlaybackState | null): boolean {
  return OVER.has(state);
}

/** Returns what follows from the facts. */
export function viewOf(facts: PlayerFacts): PlayerView {
  const { state, dragged, error } = facts;
  const over = isOver(state);
  const action = over || !facts.wanted ? "play" : "pause";
  const end = endOf(facts);
  const value = Math.min(dragged ?? (state === "ended" ? end : facts.currentTime), end);
  const growing = facts.generating && !over;
  const knowsEnd = end > 0;
  return {
    action,
    actionLabel: LABELS[action],
    canPlay: facts.hasStream,
    status: facts.blocked ? BLOCKED : facts.wanted ? stateText(state) : "",
    problem: state === "failed" && error !== null ? errorText(error) : null,
    isBusy: facts.wanted && BUSY.has(state),
    position: {
      value,
      end,
      text: knowsEnd ? positionText(value, end, growing) : clock(value),
      enabled: knowsEnd && state !== null && state !== "failed",
    },
    elapsed: clock(value),
    duration: knowsEnd ? clock(end) : "–:––",
    isLive: growing && state !== "waiting" && state !== "connecting",
    canGoLive: growing && end - facts.currentTime > BEHIND_SECONDS,
  };
}

/** Returns the end of what can be played, which grows with audio that is being generated. */
export function endOf(facts: Pick<PlayerFacts, "totalSeconds" | "existingSeconds" | "currentTime">): number {
  return facts.totalSeconds ?? Math.max(facts.existingSeconds, facts.currentTime);
}

/** Returns the time to seek to for a wish that may be out of range. */
export function withinEnd(seconds: number, facts: Parameters<typeof endOf>[0] & Pick<PlayerFacts, "generating">): number {
  const end = endOf(facts) - (facts.generating ? 0 : LAST_SECONDS);
  return Math.max(0, Math.min(seconds, end));
}
