/** Web Audio as far as the client uses it. Its clock is moved by `elapse`. */
export class FakeContext extends EventTarget {
  static all = [];
  static isBlocked = false;
  /** Whether a context sounds only if it was started in a click, as on phones; `inClick` says whether there is one. */
  static needsClick = false;
  static inClick = false;
  /** The rate of a context that was made without one, and the highest that a context can have. */
  static deviceRate = 48000;
  static mostRate = 100000;
  state = "suspended";
  currentTime = 0;
  nodes = [];
  #wasStarted = false;

  constructor({ sampleRate = FakeContext.deviceRate } = {}) {
    super();
    if (sampleRate > FakeContext.mostRate) throw new Error("NotSupportedError");
    this.sampleRate = sampleRate;
    FakeContext.all.push(this);
  }

  static reset() {
    Object.assign(FakeContext, { all: [], isBlocked: false, needsClick: false, inClick: false, deviceRate: 48000, mostRate: 100000 });
    globalThis.AudioContext = FakeContext;
  }

  resume() {
    this.#wasStarted ||= !FakeContext.needsClick || FakeContext.inClick;
    if (FakeContext.isBlocked || !this.#wasStarted) return new Promise(() => {});
    this.state = "running";
    return Promise.resolve();
  }

  suspend() {
    this.state = "suspended";
    return Promise.resolve();
  }

  close() {
    this.state = "closed";
    return Promise.resolve();
  }

  createGain() {
    this.volume = { value: 1 };
    return { gain: this.volume, context: this, connect() {}, disconnect() {} };
  }

  createBuffer(channels, length, sampleRate) {
    const data = Array.from({ length: channels }, () => new Float32Array(length));
    return { sampleRate, duration: length / sampleRate, getChannelData: (channel) => data[channel] };
  }

  createBufferSource() {
    const node = { playbackRate: { value: 1 }, connect() {}, disconnect() {}, start: (at, offset) => Object.assign(node, { at, offset }), stop: () => (node.isStopped = true) };
    this.nodes.push(node);
    return node;
  }
}

/** Lets time pass for the contexts that run, and, by `tick`, for timers. */
export function elapse(seconds, tick) {
  for (let step = 0; step < seconds * 10; step += 1) {
    for (const context of FakeContext.all) if (context.state === "running") context.currentTime += 0.1;
    tick(100);
  }
}

/** Returns the contexts that were not closed. */
export const open = () => FakeContext.all.filter(({ state }) => state !== "closed");
