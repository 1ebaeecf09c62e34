import type { AsfError } from "../errors.js";

/** What an element that plays a stream by its URL was given. */
export type UrlSource =
  /** The stream's URL, requested while the audio was growing: it may end because the connection did. */
  | "growing"
  /** The stream's URL, requested when the audio had its final size: the element knows its length, and can seek. */
  | "final"
  /** A copy of what existed of growing audio: the element can seek in it, and it ends too early. */
  | "copy";

/** What is known when an element has ended. */
export interface EndFacts {
  source: UrlSource;
  /** The audio has its final size: it is complete, or its generation has failed. */
  isFinal: boolean;
  /** Where the element ended, in seconds. */
  position: number;
  /** Where it started after the last request, in seconds. */
  place: number;
  /** Duration that it knew exactly before it ended, in seconds; null for none. */
  duration: number | null;
  /** Requests in a row that brought no sound. */
  attempts: number;
}

/** Two positions closer than this are the same: encoders pad, and engines round. */
export const SLACK_SECONDS = 0.5;

/** Requests without any sound after which the audio is taken to be shorter than it says. */
export const MAX_ATTEMPTS = 3;

/** Waiting for so long with audio that exists, in seconds, means that the connection is dead. */
const STUCK_SECONDS = 4;

/** The same where the request is older than the final size, so that its end may have been missed. */
const STUCK_AT_END_SECONDS = 2;

const MAX_DELAY_SECONDS = 8;

/**
 * Decides what an element's end means: `"end"` is the true one; else the element is to continue at its place, with a
 * request of the audio in its final size, or with a copy of what exists.
 *
 * No element tells a cut connection from the end of a response whose length was unknown. So only the end of a request
 * that was made with the final size counts, and one that is repeated at the same place.
 */
export function afterEnd(facts: EndFacts): "end" | "final" | "copy" {
  if (!facts.isFinal) return "copy";
  if (facts.source !== "final") return "final";
  if (facts.duration === null || facts.position >= facts.duration - SLACK_SECONDS) return "end";
  return facts.position <= facts.place + SLACK_SECONDS && facts.attempts >= MAX_ATTEMPTS ? "end" : "final";
}

/**
 * Longest time that an element is taken to have played since its last report, in seconds. Elements report four times a
 * second, but once in a hidden page, and later where the page is busy: as the end is, too.
 */
const UNREPORTED_SECONDS = 1;

/**
 * Returns where an element has ended, in seconds. Some go to the duration that the header announces, however little of the
 * audio there was.
 *
 * @param seen the last position that it reported before, and `played` the seconds that it may have played since.
 */
export function endPosition(position: number, seen: number, played: number): number {
  const unreported = Math.min(played, UNREPORTED_SECONDS);
  return position <= seen + unreported + SLACK_SECONDS ? position : seen + unreported;
}

/** Formats without a header that has the duration: browsers estimate it from the byte rate. */
const WITHOUT_DURATION = /^audio\/(mpeg|mp3|aacp?|x-aac|x-hx-aac-adts)\b/i;

/** Whether the duration that a browser tells of complete audio is exact. */
export function hasExactDuration(contentType: string): boolean {
  return !WITHOUT_DURATION.test(contentType.trim());
}

/** Whether audio of that duration has nothing to play at `place`, both in seconds. */
export function endsAt(place: number, duration: number): boolean {
  return Number.isFinite(duration) && Math.abs(place - duration) <= SLACK_SECONDS;
}

/** Returns after how many seconds of waiting an element is stuck. */
export function stuckAfter(source: UrlSource, isFinal: boolean, attempts: number): number {
  if (isFinal && source !== "final") return STUCK_AT_END_SECONDS;
  return STUCK_SECONDS * 2 ** Math.min(attempts, MAX_ATTEMPTS);
}

/** Returns the delay before the next request, in seconds. @param attempts requests in a row that brought no sound. */
export function requestDelay(attempts: number): number {
  return attempts === 0 ? 0 : Math.min(2 ** (attempts - 2), MAX_DELAY_SECONDS);
}

/** What a server answered to the question why an element has failed; null if it cannot be reached. */
export type Answer = { readonly status: number; readonly error: AsfError | null } | null;

/** Whether a failure is final: the server has the audio, or rejects the tokens, and further requests did not help. */
export function isHopeless(answer: Answer, attempts: number): boolean {
  if (answer === null || attempts < MAX_ATTEMPTS) return false;
  return answer.error === null || answer.status === 401 || answer.status === 403;
}
