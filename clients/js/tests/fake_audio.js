import { setMaxListeners } from "node:events";

/** An audio element without an engine: the test says what it does. */
export class FakeAudio extends EventTarget {
  paused = true;
  ended = false;
  seeking = false;
  duration = NaN;
  readyState = 0;
  error = null;
  crossOrigin = null;
  playbackRate = 1;
  ranges = [];
  /** Has to fetch for a seek, which does not end by itself. */
  isSlow = false;
  /** Every source that it was given. */
  sources = [];
  #time = 0;

  get buffered() {
    const { ranges } = this;
    return { length: ranges.length, start: (index) => ranges[index][0], end: (index) => ranges[index][1] };
  }

  get src() {
    return this.sources.at(-1) ?? "";
  }

  set src(url) {
    this.sources.push(url);
    Object.assign(this, { paused: true, ended: false, seeking: false, duration: NaN, readyState: 0, error: null, ranges: [], playbackRate: 1 });
    this.#time = 0;
  }

  get currentTime() {
    return this.#time;
  }

  set currentTime(seconds) {
    this.#time = Math.min(seconds, Number.isNaN(this.duration) ? Infinity : this.duration);
    this.ended = false;
    this.tell("seeking");
    if (this.isSlow) this.seeking = true;
    else this.tell("seeked");
  }

  async play() {
    this.paused = false;
    this.tell("play");
  }

  pause() {
    this.paused = true;
    this.tell("pause");
  }

  load() {}

  removeAttribute(name) {
    if (name === "src") this.sources.push(null);
  }

  canPlayType() {
    return "maybe";
  }

  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  /** Knows the duration, and starts where the source's fragment says. */
  describe(duration) {
    this.duration = duration;
    this.readyState = 4;
    this.#time = Math.min(Number(/#t=(.*)/.exec(this.src)?.[1] ?? 0), duration);
    this.tell("durationchange");
    this.tell("loadedmetadata");
  }

  /** Plays to `seconds`. */
  playTo(seconds) {
    this.#time = seconds;
    this.readyState = 4;
    this.tell("timeupdate");
  }

  /** Has played all that it has, and waits for more. */
  underrun() {
    this.readyState = 2;
    this.tell("waiting");
  }

  /** Ends, whether the audio does or the connection, and goes to `time`. */
  end(time = this.#time) {
    this.#time = time;
    Object.assign(this, { duration: this.#time, ended: true, paused: true, readyState: 2 });
    this.tell("pause");
    this.tell("ended");
  }

  /** Has lost its source, and loads it again. */
  empty() {
    Object.assign(this, { paused: true, readyState: 0, duration: NaN });
    this.#time = 0;
    this.tell("emptied");
  }

  /** Fails with a `MediaError`, at `time`. */
  fail(code, time = this.#time) {
    this.#time = time;
    this.error = { code, message: `error ${code}` };
    this.tell("error");
  }
}

Object.assign(globalThis, {
  HTMLMediaElement: { HAVE_FUTURE_DATA: 3 },
  MediaError: { MEDIA_ERR_NETWORK: 2 },
  location: new URL("https://page.example/player"),
});

// Node warns of more than ten listeners with one AbortSignal.
setMaxListeners(0);
