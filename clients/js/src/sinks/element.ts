import { AsfError, clientError } from "../errors.js";

/** Begins to play an element. Rejects with `ASF_CLIENT_AUTOPLAY_BLOCKED`; being interrupted is no error. */
export async function playElement(audio: HTMLAudioElement): Promise<void> {
  try {
    await audio.play();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotAllowedError") throw autoplayBlocked(error);
    // A pause or another source came in between (AbortError), or the element reports the failure itself.
  }
}

/** Returns the error of a browser that waits for the user. */
export function autoplayBlocked(cause?: unknown): AsfError {
  return clientError(
    "ASF_CLIENT_AUTOPLAY_BLOCKED",
    "The browser lets no sound begin before a click or a key: call resume() in its handler.",
    { retryable: true, cause },
  );
}

/** Returns the error of an element that cannot go on. */
export function mediaError(audio: HTMLAudioElement): AsfError {
  return clientError("ASF_CLIENT_DECODE_FAILED", "The audio cannot be played.", {
    details: audio.error?.message ?? undefined,
  });
}

/** Takes what an element plays away from it. */
export function detach(audio: HTMLAudioElement): void {
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
}

/** Returns seconds of buffered audio behind the playhead's place, and whether there is any at it. */
export function bufferedAhead(buffered: TimeRanges, time: number): number {
  for (let index = 0; index < buffered.length; index += 1) {
    // Audio may begin a little behind 0: decoders drop what only warms them up.
    if (buffered.start(index) - 0.2 <= time && time <= buffered.end(index)) return buffered.end(index) - time;
  }
  return 0;
}
