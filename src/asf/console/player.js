import { Graph } from "./graph.js";
import { brief, clock, size } from "./words.js";

/** Sampling interval of the graph, in milliseconds; longer with `prefers-reduced-motion`. */
const SAMPLE_MS = 250;
const REDUCED_MOTION_SAMPLE_MS = 1000;

const STATE_WORDS = { connecting: "connecting", waiting: "waiting for stream", buffering: "buffering", stalled: "waiting for more audio" };

/** The player: controls, values and graph. */
export class Player {
  #client;
  #elements;
  #log;
  #graph;
  #playback = null;
  #seeking = false;
  #receivedBefore = 0;

  /**
   * @param elements the page's elements, by id.
   * @param log for the control events.
   */
  constructor(client, elements, log) {
    this.#client = client;
    this.#elements = elements;
    this.#log = log;
    this.#graph = new Graph(elements.graph);
    const { toggle, stop, seek, volume, audio } = elements;
    toggle.addEventListener("click", () => this.#toggle());
    stop.addEventListener("click", () => this.#playback?.stop());
    volume.addEventListener("input", () => (audio.volume = Number(volume.value)));
    seek.addEventListener("input", () => {
      this.#seeking = true;
      this.#showTime(Number(seek.value));
    });
    seek.addEventListener("change", () => {
      this.#seeking = false;
      this.#seek(Number(seek.value));
    });
    const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(() => this.#sample(), reducedMotion ? REDUCED_MOTION_SAMPLE_MS : SAMPLE_MS);
  }

  /** Id of the current stream; null for none. */
  get streamId() {
    return this.#playback?.streamId ?? null;
  }

  /** Plays a stream, and stops the current one. Call it in a click. */
  play(streamId, about = "") {
    const { title, subtitle, audio } = this.#elements;
    title.textContent = streamId;
    subtitle.textContent = about;
    this.#graph.clear();
    this.#receivedBefore = 0;
    const playback = this.#client.play(streamId, audio, { wait: true });
    this.#playback = playback;
    playback.on("state", (state) => this.#showState(state));
    playback.on("control", (message) => this.#showControl(message));
    playback.on("status", ({ status, message }) => this.#log.add(status, message));
    playback.on("error", ({ error }) => {
      const details = error.details === null ? "" : ` ${error.details}`;
      this.#log.add(error.code, `${error.message}${details}`, { bad: true });
      subtitle.textContent = error.message;
    });
    this.#showState(playback.state);
    this.#showProgress(playback.progress);
  }

  #toggle() {
    const playback = this.#playback;
    if (["ended", "failed"].includes(playback.state)) this.play(playback.streamId);
    else if (playback.state === "paused") playback.resume();
    else playback.pause();
  }

  #seek(seconds) {
    try {
      this.#playback.seek({ seconds });
    } catch (error) {
      this.#log.add(error.code, error.message, { bad: true });
    }
  }

  #showState(state) {
    const { state: badge, toggle, stop, announcer } = this.#elements;
    const words = STATE_WORDS[state] ?? state;
    badge.textContent = words;
    badge.dataset.state = state;
    announcer.textContent = `${this.#playback.streamId}: ${words}`;
    const pauses = !["paused", "ended", "failed"].includes(state);
    toggle.disabled = false;
    toggle.setAttribute("aria-label", pauses ? "Pause" : "Play");
    toggle.querySelector("use").setAttribute("href", pauses ? "#icon-pause" : "#icon-play");
    stop.disabled = ["ended", "failed"].includes(state);
  }

  #showControl({ event, timestamp, ...rest }) {
    if (event === "start_of_stream" && this.#elements.subtitle.textContent === "") {
      this.#elements.subtitle.textContent = rest.content_type;
    }
    delete rest.stream_id;
    this.#log.add(event, brief(rest), { timestamp });
  }

  #sample() {
    if (this.#playback === null) return;
    const progress = this.#playback.progress;
    const over = ["ended", "failed"].includes(this.#playback.state);
    if (!over) {
      this.#graph.add(performance.now() / 1000, progress.aheadSeconds, progress.receivedBytes - this.#receivedBefore);
      this.#receivedBefore = progress.receivedBytes;
    }
    this.#showProgress(progress);
  }

  #showProgress({ receivedBytes, aheadSeconds, currentTime, offset, epoch, totalBytes, totalSeconds }) {
    const { seek, total } = this.#elements;
    this.#show("ahead", `${aheadSeconds.toFixed(1)} s`);
    this.#show("rate", `${size(this.#graph.rate(2))}/s`);
    this.#show("received", size(receivedBytes));
    this.#show("total", totalBytes === null ? "in progress" : size(totalBytes));
    this.#show("offset", String(offset));
    this.#show("epoch", epoch ?? "–");
    total.textContent = totalSeconds === null ? "–:––" : clock(totalSeconds);
    seek.disabled = totalSeconds === null;
    if (this.#seeking) return;
    seek.max = String(totalSeconds ?? 1);
    seek.value = String(totalSeconds === null ? 0 : currentTime);
    this.#showTime(currentTime);
  }

  #showTime(seconds) {
    this.#elements.time.textContent = clock(seconds);
    this.#elements.seek.setAttribute("aria-valuetext", clock(seconds));
  }

  #show(name, text) {
    const element = this.#elements[`figure-${name}`];
    if (element.textContent !== text) element.textContent = text;
  }
}
