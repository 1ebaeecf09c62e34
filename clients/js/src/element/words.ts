import type { PlaybackState } from "../state.js";

/** The texts of the player. */

export const LABELS = {
  player: "Audio player",
  play: "Play",
  pause: "Pause",
  back: "Back 15 seconds",
  forward: "Forward 15 seconds",
  position: "Position",
  speed: "Speed",
  mute: "Mute",
  unmute: "Unmute",
  volume: "Volume",
  live: "Live",
  goLive: "Go to live",
  retry: "Try again",
  transcript: "Transcript",
  chapters: "Chapters",
  follow: "Follow",
} as const;

/** What a listener may want to know about a state. Playing and pausing show themselves. */
const STATES: Readonly<Record<PlaybackState, string>> = {
  connecting: "Connecting…",
  waiting: "Waiting for the audio to begin…",
  buffering: "Loading…",
  playing: "",
  paused: "",
  stalled: "Waiting for more audio…",
  ended: "",
  failed: "",
};

export const BLOCKED = "Press play to listen.";

const ERRORS: Readonly<Record<string, string>> = {
  ASF_STREAM_NOT_FOUND: "This audio is not available (yet).",
  ASF_AUDIO_UNAVAILABLE: "This audio cannot be loaded at the moment.",
  ASF_GENERATION_FAILED: "This audio could not be completed.",
  ASF_STREAM_STALLED: "This audio stopped growing before its end.",
  ASF_EPOCH_CHANGED: "There is a new version of this audio.",
  ASF_UNAUTHORIZED: "You do not have access to this audio, or your access has expired.",
  ASF_DISCONNECTED: "You have been disconnected.",
  ASF_TOO_MANY_LISTENERS: "Too many people are listening at the moment.",
  ASF_TOO_MANY_CONNECTIONS: "Too many people are listening at the moment.",
  ASF_RATE_LIMITED: "Too many attempts. Wait a moment.",
  ASF_DRAINING: "The server is being restarted.",
  ASF_CLIENT_DECODE_FAILED: "This browser cannot play this audio.",
  ASF_CLIENT_INVALID_ARGUMENT: "This player is not set up correctly.",
  ASF_CLIENT_REFUSED: "The audio server refused the connection.",
};

/** Returns what is shown, and announced, of a state; empty for nothing. */
export function stateText(state: PlaybackState | null): string {
  return state === null ? "" : STATES[state];
}

/** Returns a sentence about an error, for listeners. */
export function errorText(error: { code: string; message: string }): string {
  return ERRORS[error.code] ?? (error.message === "" ? "This audio cannot be played." : error.message);
}

/** Formats seconds as m:ss or h:mm:ss. */
export function clock(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60];
  const rest = String(total % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Returns how screen readers announce a position, such as "1:05 of 3:20". `growing`: the audio has no end yet. */
export function positionText(seconds: number, end: number, growing: boolean): string {
  return `${clock(seconds)} of ${clock(end)}${growing ? " so far" : ""}`;
}
