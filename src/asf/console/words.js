/** How figures are written. */

/** Returns seconds as minutes and seconds, with hours where there are some. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Returns bytes with a unit. */
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

/** Returns a JSON value in one line that can be broken between its parts, shortened. */
export function brief(value, most = 300) {
  const text = JSON.stringify(value, null, 1).replaceAll(/\n */g, " ");
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
