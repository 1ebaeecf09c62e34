import type { StreamCues } from "../protocol.js";
import { Patience, withToken, type StreamUrl } from "../sinks/stored.js";

/** Delays between two requests, in milliseconds: they double while nothing new comes. */
const FIRST_DELAY_MS = 2000;
const LONGEST_DELAY_MS = 16_000;

/** What the late cues of a session need. */
export interface LateCuesHost {
  /** The epoch whose cues are wanted. */
  readonly epoch: string | null;
  /** Number of the last cue that has come. */
  readonly cuesSince: number;
  /** Takes further cues. */
  takeCues(message: StreamCues): void;
}

/**
 * Fetches the cues that are posted after the session has ended: the server sent all of the audio, and the page plays on.
 *
 * They come by URL: a session that stayed open would count as a listener, and a plain WebSocket is closed at the end.
 */
export class LateCues {
  readonly #url: StreamUrl;
  readonly #host: LateCuesHost;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request: AbortController | null = null;
  #delay = FIRST_DELAY_MS;
  #isOn = false;
  /** The stream has no cues of this epoch any more. */
  #isOver = false;

  /** @param url returns the URL of the stream's cues, with a current token. */
  constructor(url: StreamUrl, host: LateCuesHost) {
    this.#url = url;
    this.#host = host;
  }

  /** Starts or stops. */
  run(isOn: boolean): void {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    this.#delay = FIRST_DELAY_MS;
    if (isOn) {
      this.#schedule();
    } else {
      clearTimeout(this.#timer);
      this.#request?.abort();
    }
  }

  #schedule(): void {
    if (this.#isOn && !this.#isOver) this.#timer = setTimeout(() => void this.#ask(), this.#delay);
  }

  async #ask(): Promise<void> {
    const request = (this.#request = new AbortController());
    this.#delay = Math.min(2 * this.#delay, LONGEST_DELAY_MS);
    const patience = new Patience(request.signal);
    try {
      const found = await this.#fetch(patience);
      if (!request.signal.aborted && found !== null) this.#take(found);
    } catch {
      // It is asked again.
    } finally {
      patience.end();
    }
    if (!request.signal.aborted) this.#schedule();
  }

  /** Returns the cues behind the last one that has come; null if the server rejects the request. */
  async #fetch(patience: Patience): Promise<StreamCues | null> {
    const url = new URL(await withToken(this.#url));
    url.searchParams.set("since", String(this.#host.cuesSince));
    const response = await patience.of(fetch(url, { cache: "no-store", signal: patience.signal }));
    if (response.status === 404) this.#isOver = true;
    return response.ok ? ((await patience.of(response.json())) as StreamCues) : null;
  }

  #take(found: StreamCues): void {
    if (found.epoch !== this.#host.epoch) this.#isOver = true;
    else if (found.cues.length > 0) {
      this.#delay = FIRST_DELAY_MS;
      this.#host.takeCues(found);
    }
  }
}
