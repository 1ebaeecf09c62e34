/** Formatting of values. */

/** Formats a number of bytes with a unit. */
export function size(bytes) {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  while (value >= 1000 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[0]}`;
}

/** Formats a JSON value in one line with spaces to wrap at, truncated to `most` characters. */
export function brief(value, most = 300) {
  const text = JSON.stringify(value, null, 1).replaceAll(/\n */g, " ");
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
