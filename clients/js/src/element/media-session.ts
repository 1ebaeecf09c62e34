import type { About } from "./about.js";

/** A player that the keys of the lock screen, of headsets and of keyboards control. */
export interface MediaTarget {
  play(): void;
  pause(): void;
  /** Moves the playhead by that many seconds. */
  skip(seconds: number): void;
  /** Moves the playhead to that time, in seconds. */
  seek(seconds: number): void;
}

/** A position, in seconds of the audio. */
export interface MediaPosition {
  seconds: number;
  end: number;
  rate: number;
}

const ACTIONS = ["play", "pause", "stop", "seekbackward", "seekforward", "seekto"] as const;

/** Default of `seekbackward` and `seekforward`, in seconds. */
export const SKIP_SECONDS = 15;

/** The player that has the page's media session, of which there is only one. */
let owner: MediaTarget | null = null;

/** What is shown of the owner, as JSON: setting it again would load the picture again. */
let shown = "";

/** Gives the page's media session (Media Session Standard) to a player. */
export function claimMediaSession(target: MediaTarget): void {
  if (owner === target || !("mediaSession" in navigator)) return;
  owner = target;
  shown = "";
  const handlers: Record<(typeof ACTIONS)[number], MediaSessionActionHandler> = {
    play: () => target.play(),
    pause: () => target.pause(),
    stop: () => target.pause(),
    seekbackward: ({ seekOffset }) => target.skip(-(seekOffset ?? SKIP_SECONDS)),
    seekforward: ({ seekOffset }) => target.skip(seekOffset ?? SKIP_SECONDS),
    seekto: ({ seekTime }) => seekTime !== undefined && target.seek(seekTime),
  };
  for (const action of ACTIONS) setHandler(action, handlers[action]);
}

/** Shows what a player does, where it has the media session. `position` is null while it is unknown. */
export function updateMediaSession(target: MediaTarget, playing: boolean, position: MediaPosition | null): void {
  if (owner !== target) return;
  navigator.mediaSession.playbackState = playing ? "playing" : "paused";
  if (position === null || !(position.end > 0)) return;
  const { seconds, end, rate } = position;
  if (!(rate > 0)) return; // Browsers take no other one.
  navigator.mediaSession.setPositionState?.({ duration: end, position: Math.min(Math.max(0, seconds), end), playbackRate: rate });
}

/** Shows what is played, where the player has the media session. */
export function describeMediaSession(target: MediaTarget, { title, artist, album, artwork }: About): void {
  const description = JSON.stringify([title, artist, album, artwork]);
  if (owner !== target || description === shown) return;
  shown = description;
  const pictures = artwork === "" ? [] : [{ src: artwork }];
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist, album, artwork: pictures });
}

/** Takes the media session from a player, where it has it. */
export function releaseMediaSession(target: MediaTarget): void {
  if (owner !== target) return;
  owner = null;
  for (const action of ACTIONS) setHandler(action, null);
  navigator.mediaSession.metadata = null;
  navigator.mediaSession.playbackState = "none";
  navigator.mediaSession.setPositionState?.();
}

function setHandler(action: MediaSessionAction, handler: MediaSessionActionHandler | null): void {
  try {
    navigator.mediaSession.setActionHandler(action, handler);
  } catch {
    // This browser does not know the action.
  }
}
