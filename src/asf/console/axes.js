/** Axes of a graph: where their ticks are, and what they say. */

const SECONDS_PER_MINUTE = 60;

/** Seconds up to which a time axis counts in seconds, and bytes up to which one of bytes counts in kB. */
const MOST_IN_SECONDS = 600;
const MOST_IN_KILOBYTES = 10_000_000;

const MOST_TICKS = 6;

/** Returns the axis of a time from 0 to at least `seconds`: its `unit`, its `end`, and its `ticks` with `text`. */
export function timeAxis(seconds) {
  return seconds <= MOST_IN_SECONDS ? axis(seconds, 1, "s") : axis(seconds, SECONDS_PER_MINUTE, "min");
}

/** Returns the axis of an amount of data from 0 to at least `bytes`, as `timeAxis` does. */
export function byteAxis(bytes) {
  return bytes <= MOST_IN_KILOBYTES ? axis(bytes, 1e3, "kB") : axis(bytes, 1e6, "MB");
}

/** Formats a value in the unit of an axis, without the unit. */
export function inUnit(value, { scale }) {
  const scaled = value / scale;
  return scaled === 0 || scaled >= 10 ? String(Math.round(scaled)) : scaled.toFixed(1);
}

function axis(most, scale, unit) {
  const step = niceStep(most / scale / MOST_TICKS);
  const count = Math.max(1, Math.ceil(most / scale / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, index) => ({
    value: index * step * scale,
    text: String(Number((index * step).toPrecision(6))),
  }));
  return { unit, scale, end: count * step * scale, ticks };
}

/** Returns the smallest of 1, 2, 5, 10, 20 … that is at least `least`; of 0.1, 0.2 … for less than 1. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * (1 - 1e-9));
}
