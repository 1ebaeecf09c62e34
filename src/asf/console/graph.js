import { byteAxis, inUnit, timeAxis } from "./axes.js";
import { setText } from "./words.js";

/** Least that the axes reach to. */
const LEAST_SECONDS = 30;
const LEAST_BYTES = 100_000;

/** Samples from which every second one is dropped. */
const MOST_SAMPLES = 600;

/** Interval at which the texts for screen readers are updated, in seconds: they may read while it changes. */
const TEXT_SECONDS = 5;

/** Space around the curves for the labels, in pixels. */
const LEFT = 48;
const RIGHT = 14;
const TOP = 26;
const BOTTOM = 42;

/** Draws the bytes received and the bytes played against time, and writes them into a table. */
export class Graph {
  #drawing;
  #rows;
  #heads;
  #samples = [];
  #textAt = -Infinity;

  /**
   * @param drawing the `<svg>`.
   * @param table the `<table>`, with a head.
   */
  constructor(drawing, table) {
    this.#drawing = drawing;
    this.#rows = table.tBodies[0];
    this.#heads = table.tHead.rows[0].cells;
    new ResizeObserver(() => this.#draw()).observe(drawing);
  }

  /** Removes all samples. */
  clear() {
    this.#samples = [];
    this.#textAt = -Infinity;
    this.#rows.replaceChildren();
    this.#update();
  }

  /** Adds a sample: `seconds` since the start, and up to which byte of the audio was `received` and `played`. */
  add(seconds, received, played) {
    if (this.#samples.length >= MOST_SAMPLES) this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#samples.push({ seconds, received, played });
    this.#update();
  }

  /** Writes the texts at once. Call it when there will be no more samples. */
  finish() {
    this.#textAt = -Infinity;
    this.#update();
  }

  #update() {
    this.#draw();
    const { seconds } = this.#latest();
    if (seconds - this.#textAt < TEXT_SECONDS) return;
    this.#textAt = seconds;
    this.#write();
  }

  #latest() {
    return this.#samples.at(-1) ?? { seconds: 0, received: 0, played: 0 };
  }

  #axes() {
    const most = Math.max(LEAST_BYTES, ...this.#samples.map(({ received }) => received));
    return { time: timeAxis(Math.max(LEAST_SECONDS, this.#latest().seconds)), bytes: byteAxis(most) };
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#drawing;
    if (width === 0) return;
    const { time, bytes } = this.#axes();
    const [right, bottom] = [width - RIGHT, height - BOTTOM];
    const x = (seconds) => LEFT + (seconds / time.end) * (right - LEFT);
    const y = (count) => bottom - (count / bytes.end) * (bottom - TOP);
    const curve = (name) => this.#samples.map((sample, index) => `${index === 0 ? "M" : "L"}${round(x(sample.seconds))} ${round(y(sample[name]))}`).join("");
    this.#drawing.replaceChildren(
      ...bytes.ticks.flatMap(({ value, text }) => [
        shape("path", { class: "grid", d: `M${LEFT} ${round(y(value))}H${right}` }),
        label(text, { x: LEFT - 7, y: y(value) + 4, "text-anchor": "end" }),
      ]),
      ...time.ticks.flatMap(({ value, text }) => [
        shape("path", { class: "grid", d: `M${round(x(value))} ${bottom}v5` }),
        label(text, { x: x(value), y: bottom + 18, "text-anchor": "middle" }),
      ]),
      label(`Audio (${bytes.unit})`, { class: "axis", x: 0, y: 12 }),
      label(`Time since start (${time.unit})`, { class: "axis", x: right, y: height - 6, "text-anchor": "end" }),
      shape("path", { class: "received", d: curve("received") }),
      shape("path", { class: "played", d: curve("played") }),
    );
  }

  /** Writes what screen readers read: a summary, and a table with one row for each tick, and the latest values. */
  #write() {
    const { time, bytes } = this.#axes();
    const latest = this.#latest();
    const [now, received, played] = [inUnit(latest.seconds, time), inUnit(latest.received, bytes), inUnit(latest.played, bytes)];
    const summary = `After ${now} ${time.unit}: ${received} ${bytes.unit} received, ${played} ${bytes.unit} played.`;
    this.#drawing.setAttribute("aria-label", `Graph of the bytes received and played against time. ${summary}`);
    [`Time (${time.unit})`, `Received (${bytes.unit})`, `Played (${bytes.unit})`].forEach((text, index) => setText(this.#heads[index], text));
    const shown = time.ticks.map(({ value }) => this.#samples.find(({ seconds }) => seconds >= value)).filter(Boolean);
    if (this.#samples.length > 0 && shown.at(-1) !== latest) shown.push(latest);
    while (this.#rows.rows.length > shown.length) this.#rows.deleteRow(-1);
    shown.forEach((sample, index) => {
      const row = this.#rows.rows[index] ?? newRow(this.#rows);
      const values = [inUnit(sample.seconds, time), inUnit(sample.received, bytes), inUnit(sample.played, bytes)];
      values.forEach((text, column) => setText(row.cells[column], text));
    });
  }
}

function newRow(body) {
  const row = body.insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  row.append(head, document.createElement("td"), document.createElement("td"));
  return row;
}

function label(text, attributes) {
  const made = shape("text", attributes);
  made.textContent = text;
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, typeof value === "number" ? round(value) : value);
  return made;
}

function round(pixels) {
  return Math.round(pixels * 10) / 10;
}
