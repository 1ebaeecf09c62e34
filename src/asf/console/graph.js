/** Time span shown, in seconds. */
const SHOWN_SECONDS = 60;

/** The scale of seconds ahead reaches to at least SCALE_SECONDS, with a line at the client's TARGET_SECONDS. */
const SCALE_SECONDS = 40;
const TARGET_SECONDS = 30;

const BARS_SHARE = 0.3;

/** Draws the seconds buffered ahead of the playhead as an area, and the bytes received as bars below, on a canvas. */
export class Graph {
  #canvas;
  #samples = [];

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Removes all samples. */
  clear() {
    this.#samples = [];
    this.draw();
  }

  /** Adds a sample at `time`: seconds ahead of the playhead, and bytes received since the last sample. */
  add(time, aheadSeconds, bytes) {
    this.#samples.push({ time, aheadSeconds, bytes });
    this.#samples = this.#samples.filter((sample) => time - sample.time <= SHOWN_SECONDS + 1);
    this.draw();
  }

  /** Mean bytes per second over the last `seconds`. */
  rate(seconds) {
    const now = this.#samples.at(-1)?.time ?? 0;
    const recent = this.#samples.filter((sample) => now - sample.time < seconds);
    return recent.reduce((sum, sample) => sum + sample.bytes, 0) / seconds;
  }

  draw() {
    const canvas = this.#canvas;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    context.scale(ratio, ratio);
    context.font = `11px ${style.fontFamily}`;

    const barsTop = Math.round(height * (1 - BARS_SHARE)) + 8;
    const areaBottom = barsTop - 14;
    const now = this.#samples.at(-1)?.time ?? 0;
    const x = (time) => width - ((now - time) / SHOWN_SECONDS) * width;
    const most = Math.max(SCALE_SECONDS, ...this.#samples.map((sample) => sample.aheadSeconds * 1.1));
    const y = (seconds) => areaBottom - (seconds / most) * (areaBottom - 6);

    // The base lines of both, and the target.
    context.strokeStyle = colour("--line");
    context.lineWidth = 1;
    for (const at of [areaBottom + 0.5, height - 0.5]) line(context, [[0, at], [width, at]]);
    context.strokeStyle = colour("--field");
    context.setLineDash([3, 4]);
    line(context, [[0, y(TARGET_SECONDS)], [width, y(TARGET_SECONDS)]]);
    context.setLineDash([]);
    context.fillStyle = colour("--quiet");
    context.fillText(`${TARGET_SECONDS} s`, 2, y(TARGET_SECONDS) - 5);

    const mostBytes = Math.max(1, ...this.#samples.map((sample) => sample.bytes));
    const barWidth = Math.max(1, width / SHOWN_SECONDS / 4 - 1);
    context.fillStyle = colour("--bars");
    for (const { time, bytes } of this.#samples) {
      const tall = bytes === 0 ? 0 : Math.max(2, (bytes / mostBytes) * (height - barsTop - 2));
      context.fillRect(x(time) - barWidth, height - 1 - tall, barWidth, tall);
    }

    if (this.#samples.length < 2) return;
    const points = this.#samples.map((sample) => [x(sample.time), y(sample.aheadSeconds)]);
    context.beginPath();
    context.moveTo(points[0][0], areaBottom);
    for (const point of points) context.lineTo(...point);
    context.lineTo(width, areaBottom);
    context.globalAlpha = 0.18;
    context.fillStyle = colour("--accent");
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colour("--accent");
    context.lineWidth = 2;
    context.lineJoin = "round";
    line(context, points);
  }
}

function line(context, points) {
  context.beginPath();
  for (const point of points) context.lineTo(...point);
  context.stroke();
}
