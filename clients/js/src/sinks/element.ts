import { AsfError, clientError } from "../errors.js";
import { policyError, watchPolicy } from "./policy.js";

/** Elements whose `crossOrigin` was set here. */
const sharing = new WeakSet<HTMLAudioElement>();

/** The source that was given here to each element last, as the element tells it. */
const given = new WeakMap<HTMLAudioElement, string>();

/** Takes an element over from the page, with the source that it has: a `srcObject` would go before any other one. */
export function claim(audio: HTMLAudioElement): void {
  watchPolicy();
  if (hasObject(audio)) audio.srcObject = null;
  given.set(audio, audio.src);
}

/** Gives an element a source. */
export function give(audio: HTMLAudioElement, url: string): void {
  audio.src = url;
  given.set(audio, audio.src);
}

/** Whether the page itself has given an element another source since. */
export function isTaken(audio: HTMLAudioElement): boolean {
  return audio.src !== given.get(audio) || hasObject(audio);
}

function hasObject(audio: HTMLAudioElement): boolean {
  return (audio.srcObject ?? null) !== null;
}

/** Plays an element. Rejects with `ASF_CLIENT_AUTOPLAY_BLOCKED`; being interrupted is not an error. */
export async function playElement(audio: HTMLAudioElement): Promise<void> {
  try {
    await audio.play();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotAllowedError") throw autoplayBlocked(error);
    // Interrupted by a pause or another source (AbortError), or the element reports the failure itself.
  }
}

/** Returns the error of a browser that blocks autoplay. */
export function autoplayBlocked(cause?: unknown): AsfError {
  return clientError(
    "ASF_CLIENT_AUTOPLAY_BLOCKED",
    "The browser blocked autoplay. Call resume() in the handler of a click or key press.",
    { retryable: true, cause },
  );
}

/** Returns the error of an element that failed. */
export function mediaError(audio: HTMLAudioElement): AsfError {
  const error = policyError(audio.src);
  if (error !== null) return error;
  return clientError("ASF_CLIENT_DECODE_FAILED", "The audio cannot be played.", {
    details: audio.error?.message ?? undefined,
  });
}

/**
 * Gives an element another source, from its beginning. A URL of another origin is requested with CORS, so that Web Audio
 * hears it and isolated pages (COEP) may use it, unless the page has set the element's `crossOrigin` itself.
 */
export function load(audio: HTMLAudioElement, url: string): void {
  const { origin, protocol } = new URL(url, location.href);
  if (protocol.startsWith("http") && origin !== location.origin && audio.crossOrigin === null) {
    sharing.add(audio);
    audio.crossOrigin = "anonymous";
  }
  give(audio, url);
}

/** Detaches an element from its source, unless that is the page's own. */
export function detach(audio: HTMLAudioElement): void {
  const isOwn = isTaken(audio);
  if (sharing.delete(audio)) audio.removeAttribute("crossorigin");
  if (isOwn) return;
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  given.set(audio, audio.src);
}

/** Returns the seconds of audio buffered after `time`; 0 if `time` itself is not buffered. */
export function bufferedAhead(buffered: TimeRanges, time: number): number {
  for (let index = 0; index < buffered.length; index += 1) {
    // Audio may start slightly after 0: decoders drop their priming samples.
    if (buffered.start(index) - 0.2 <= time && time <= buffered.end(index)) return buffered.end(index) - time;
  }
  return 0;
}
