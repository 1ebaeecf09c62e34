import { AsfError, clientError } from "../errors.js";

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
  return clientError("ASF_CLIENT_DECODE_FAILED", "The audio cannot be played.", {
    details: audio.error?.message ?? undefined,
  });
}

/** Detaches an element from its source. */
export function detach(audio: HTMLAudioElement): void {
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
}

/** Returns the seconds of audio buffered after `time`; 0 if `time` itself is not buffered. */
export function bufferedAhead(buffered: TimeRanges, time: number): number {
  for (let index = 0; index < buffered.length; index += 1) {
    // Audio may start slightly after 0: decoders drop their priming samples.
    if (buffered.start(index) - 0.2 <= time && time <= buffered.end(index)) return buffered.end(index) - time;
  }
  return 0;
}
