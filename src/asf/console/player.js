import "asf-client/player";

import { Graph } from "./graph.js";
import { brief, size } from "./words.js";

/** Sampling interval of the graph, in milliseconds; longer with `prefers-reduced-motion`. */
const SAMPLE_MS = 250;
const REDUCED_MOTION_SAMPLE_MS = 1000;

const STATE_WORDS = { connecting: "connecting", waiting: "waiting for stream", buffering: "buffering", stalled: "waiting for more audio" };

/** The player: the element <asf-player>, values and graph. */
export class Player {
  #elements;
  #log;
  #graph;
  #receivedBefore = 0;

  /**
   * @param client of asf-client, whose connection is shared with the updates.
   * @param elements the page's elements, by id.
   * @param log for the control events.
   */
  constructor(client, elements, log) {
    this.#elements = elements;
    this.#log = log;
    this.#graph = new Graph(elements.graph);
    const { controls, stop } = elements;
    controls.client = client;
    controls.wait = true;
    controls.cues = true;
    controls.addEventListener("asf-state", ({ detail }) => this.#showState(detail));
    controls.addEventListener("asf-control", ({ detail }) => this.#showControl(detail));
    controls.addEventListener("asf-status", ({ detail: { status, message } }) => log.add(status, message));
    controls.addEventListener("asf-error", ({ detail: { error } }) => this.#showError(error));
    stop.addEventListener("click", () => controls.stop());
    const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(() => this.#sample(), reducedMotion ? REDUCED_MOTION_SAMPLE_MS : SAMPLE_MS);
  }

  /** Plays a stream, and stops the current one. Call it in a click. */
  play(streamId, about = "") {
    const { title, subtitle, controls } = this.#elements;
    controls.stop();
    title.textContent = streamId;
    subtitle.textContent = about;
    controls.stream = streamId;
    controls.play();
  }

  #showState(state) {
    const { state: badge, stop, controls } = this.#elements;
    badge.textContent = STATE_WORDS[state] ?? state;
    badge.dataset.state = state;
    stop.disabled = ["ended", "failed"].includes(state);
    if (state !== "connecting") return;
    // A new playback.
    this.#graph.clear();
    this.#receivedBefore = 0;
    this.#showProgress(controls.playback.progress);
  }

  #showError(error) {
    const details = error.details === null ? "" : ` ${error.details}`;
    this.#log.add(error.code, `${error.message}${details}`, { bad: true });
  }

  #showControl({ event, timestamp, ...rest }) {
    if (event === "start_of_stream" && this.#elements.subtitle.textContent === "") {
      this.#elements.subtitle.textContent = rest.content_type;
    }
    delete rest.stream_id;
    this.#log.add(event, brief(rest), { timestamp });
  }

  #sample() {
    const { playback } = this.#elements.controls;
    if (playback === null || ["ended", "failed"].includes(playback.state)) return;
    const { progress } = playback;
    this.#graph.add(performance.now() / 1000, progress.aheadSeconds, progress.receivedBytes - this.#receivedBefore);
    this.#receivedBefore = progress.receivedBytes;
    this.#showProgress(progress);
  }

  #showProgress({ receivedBytes, aheadSeconds, offset, epoch, totalBytes }) {
    this.#show("ahead", `${aheadSeconds.toFixed(1)} s`);
    this.#show("rate", `${size(this.#graph.rate(2))}/s`);
    this.#show("received", size(receivedBytes));
    this.#show("total", totalBytes === null ? "in progress" : size(totalBytes));
    this.#show("offset", String(offset));
    this.#show("epoch", epoch ?? "–");
  }

  #show(name, text) {
    const element = this.#elements[`figure-${name}`];
    if (element.textContent !== text) element.textContent = text;
  }
}
