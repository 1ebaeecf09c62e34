/** Input samples on each side of an output sample that it is made of, at least. */
const HALF_WIDTH = 16;

/** Frequencies that pass, as a part of those that both rates can have. */
const PASS_BAND = 0.94;

/** Most places between two input samples that have a filter of their own; the nearest one is taken. */
const MAX_PHASES = 1024;

/** Converts samples to another rate, with a sinc filter under a Blackman window. */
export class Resampler {
  readonly #from: number;
  readonly #to: number;
  readonly #limit: number;
  readonly #half: number;
  /** One filter for each phase. */
  readonly #filters: Float64Array[];
  /** The input samples of each channel that are still needed. The first ones stand before the start, and are 0. */
  #kept: Int32Array[];
  /** Number of the first sample kept. */
  #first: number;
  /** How many samples came in, and went out. */
  #taken = 0;
  #given = 0;

  /**
   * @param from samples per second.
   * @param to samples per second of the result.
   * @param bits of the samples.
   */
  constructor(from: number, to: number, channels: number, bits: number) {
    this.#from = from;
    this.#to = to;
    this.#limit = 2 ** (bits - 1);
    const cutoff = PASS_BAND * Math.min(1, to / from);
    this.#half = Math.ceil(HALF_WIDTH / Math.min(1, to / from));
    const phases = Math.min(MAX_PHASES, to / greatestDivisor(from, to));
    this.#filters = Array.from({ length: phases }, (_, phase) => filterOf(phase / phases, cutoff, this.#half));
    this.#first = 1 - this.#half;
    this.#kept = Array.from({ length: channels }, () => new Int32Array(this.#half - 1));
  }

  /** Takes the samples of each channel that follow the last ones; returns those of the result that they complete. */
  push(channels: readonly Int32Array[]): Int32Array[] {
    this.#taken += channels[0]!.length;
    return this.#convert(channels);
  }

  /** Returns the last samples. */
  flush(): Int32Array[] {
    const after = new Int32Array(this.#half + 1);
    const rest = Math.round((this.#taken * this.#to) / this.#from) - this.#given;
    return this.#convert(this.#kept.map(() => after)).map((samples) => samples.subarray(0, rest));
  }

  #convert(channels: readonly Int32Array[]): Int32Array[] {
    this.#kept = this.#kept.map((kept, channel) => {
      const all = new Int32Array(kept.length + channels[channel]!.length);
      all.set(kept);
      all.set(channels[channel]!, kept.length);
      return all;
    });
    // The last sample that can be made is `half` before the last one kept.
    const end = this.#first + this.#kept[0]!.length - this.#half;
    const count = Math.max(0, Math.ceil((end * this.#to) / this.#from) - this.#given);
    const result = this.#kept.map((kept) => this.#converted(kept, count));
    this.#given += count;
    const used = Math.floor((this.#given * this.#from) / this.#to) + 1 - this.#half - this.#first;
    const dropped = Math.max(0, Math.min(used, this.#kept[0]!.length));
    this.#kept = this.#kept.map((kept) => kept.slice(dropped));
    this.#first += dropped;
    return result;
  }

  #converted(kept: Int32Array, count: number): Int32Array {
    const phases = this.#filters.length;
    return Int32Array.from({ length: count }, (_, index) => {
      const place = ((this.#given + index) * this.#from) / this.#to;
      const phase = Math.round((place % 1) * phases);
      const sample = Math.floor(place) + (phase === phases ? 1 : 0);
      const filter = this.#filters[phase % phases]!;
      const start = sample - this.#half + 1 - this.#first;
      let sum = 0;
      for (let tap = 0; tap < filter.length; tap += 1) sum += filter[tap]! * (kept[start + tap] ?? 0);
      return Math.max(-this.#limit, Math.min(this.#limit - 1, Math.round(sum)));
    });
  }
}

/** Returns the filter of a place `phase` after a sample, from the sample `half - 1` before that one on. */
function filterOf(phase: number, cutoff: number, half: number): Float64Array {
  const filter = Float64Array.from({ length: 2 * half }, (_, tap) => {
    const distance = tap - (half - 1) - phase;
    const angle = Math.PI * (distance / half);
    const window = Math.abs(distance) >= half ? 0 : 0.42 + 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle);
    const x = Math.PI * cutoff * distance;
    return window * (x === 0 ? 1 : Math.sin(x) / x);
  });
  const sum = filter.reduce((all, value) => all + value, 0);
  return filter.map((value) => value / sum);
}

function greatestDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestDivisor(other, one % other);
}
