/** Interval at which the element is looked at, in milliseconds. */
const LOOK_MS = 1000;

/** Watches whether an element that is meant to play gets on: fetches, or plays. */
export class Watchdog {
  readonly #audio: HTMLAudioElement;
  readonly #waits: (seconds: number, hasData: boolean) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #time = 0;
  #end = 0;
  #still = 0;

  /**
   * @param waits is called each second with how long, in seconds, the element has not got on, and whether it has what it
   *   would play: engines forget to, now and then.
   */
  constructor(audio: HTMLAudioElement, waits: (seconds: number, hasData: boolean) => void) {
    this.#audio = audio;
    this.#waits = waits;
  }

  /** Starts or stops watching. Nothing refers to the element while it is stopped. */
  run(isOn: boolean): void {
    if (isOn === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = isOn ? setInterval(() => this.#look(), LOOK_MS) : undefined;
    this.#still = 0;
  }

  /** Counts from now on. */
  restart(): void {
    this.#still = 0;
  }

  #look(): void {
    const { buffered, currentTime, paused, readyState, seeking } = this.#audio;
    const end = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
    const hasData = !seeking && readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    const isMoving = currentTime !== this.#time || (hasData ? paused : end !== this.#end);
    [this.#time, this.#end] = [currentTime, end];
    if (isMoving) this.#still = 0;
    else this.#waits((this.#still += LOOK_MS / 1000), hasData);
  }
}
