/** Formatting of values. */

const MOST_TITLE_CHARACTERS = 300;

/** Controls, and overrides of the direction: they could disturb the text around them. */
const DISTURBING = /[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu;

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

/** Returns the title in a stream's metadata, which may be any JSON value, in one line; empty for none. */
export function titleOf(metadata) {
  const title = metadata?.title;
  return typeof title === "string" ? title.replaceAll(DISTURBING, " ").trim().slice(0, MOST_TITLE_CHARACTERS) : "";
}

/** Formats a time, in seconds since the Unix epoch: with its date, unless that is today's. */
export function moment(timestamp) {
  const when = new Date(timestamp * 1000);
  const time = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return when.toDateString() === new Date().toDateString() ? time : `${when.toLocaleDateString()} ${time}`;
}

/** Sets a text, unless it is the same: otherwise screen readers might announce it again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
