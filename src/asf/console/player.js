import "asf-client/player";

import { Graph } from "./graph.js";
import { copy, linkTo, showInAddress } from "./links.js";
import { brief, setText, size, titleOf } from "./words.js";

/** Sampling interval of the graph, in milliseconds; longer with `prefers-reduced-motion`. */
const SAMPLE_MS = 250;
const REDUCED_MOTION_SAMPLE_MS = 1000;

/** The byte rate is the mean of so many seconds. */
const RATE_SECONDS = 2;

const PAGE_TITLE = document.title;

const STATE_WORDS = { connecting: "connecting", waiting: "waiting for stream", buffering: "buffering", stalled: "waiting for more audio" };

/** What is said about a stream by its state in the catalog. */
const STREAM_WORDS = { generating: "being generated", complete: "complete", failed: "generation failed" };

/** The player: the element <asf-player>, its stream's title and link, values and graph. */
export class Player {
  #elements;
  #log;
  #graph;
  /** The stream in the catalog; null where it is not there, undefined where that is not known. */
  #stream;
  /** What the server said when the audio started; null before. */
  #started = null;
  /** When the playback started, in milliseconds, and its latest samples: bytes received, and bytes per second of audio. */
  #startedAt = 0;
  #recent = [];

  /**
   * @param client of asf-client, whose connection is shared with the updates.
   * @param elements the page's elements, by id.
   * @param log for the control events.
   */
  constructor(client, elements, log) {
    this.#elements = elements;
    this.#log = log;
    this.#graph = new Graph(elements.graph, elements["graph-values"]);
    const { controls, stop } = elements;
    controls.client = client;
    controls.wait = true;
    controls.cues = true;
    controls.addEventListener("asf-state", ({ detail }) => this.#showState(detail));
    controls.addEventListener("asf-control", ({ detail }) => this.#showControl(detail));
    controls.addEventListener("asf-status", ({ detail: { status, message } }) => log.add(status, message));
    controls.addEventListener("asf-error", ({ detail: { error } }) => this.#showError(error));
    stop.addEventListener("click", () => controls.stop());
    elements.copy.addEventListener("click", () => void this.#copyLink());
    const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(() => this.#sample(), reducedMotion ? REDUCED_MOTION_SAMPLE_MS : SAMPLE_MS);
  }

  /** Selects a stream without playing it, and stops the current one. */
  select(streamId) {
    const { controls, copy: button, copied, state } = this.#elements;
    controls.stop();
    this.#stream = undefined;
    this.#started = null;
    controls.stream = streamId;
    showInAddress(streamId);
    button.hidden = false;
    setText(copied, "");
    setText(state, "ready to play");
    state.dataset.state = "none";
    this.#reset();
    this.#describe();
  }

  /** Plays a stream, and stops the current one. Call it in a click. */
  play(streamId) {
    this.select(streamId);
    this.#elements.controls.play();
  }

  /** Takes what the catalog has of the selected stream: null for nothing. */
  update(stream) {
    this.#stream = stream;
    this.#describe();
  }

  /** Shows the title and what is known about the stream, here and in the page's title. */
  #describe() {
    const { title, subtitle, controls } = this.#elements;
    const { stream: streamId } = controls;
    if (streamId === "") return;
    // The catalog's title is the latest: the stream may have been regenerated since.
    const heading = titleOf((this.#stream ?? this.#started)?.metadata);
    const type = this.#stream?.content_type ?? this.#started?.content_type;
    const state = this.#stream === null ? "not announced" : STREAM_WORDS[this.#stream?.state];
    const reason = this.#stream?.state === "failed" && this.#stream.reason;
    setText(title, heading || streamId);
    setText(subtitle, [heading && streamId, type, state, reason].filter(Boolean).join(" · "));
    const playing = controls.state === "playing" ? "▶ " : "";
    document.title = `${playing}${heading || streamId} · ${PAGE_TITLE}`;
  }

  async #copyLink() {
    const { controls, copied } = this.#elements;
    const link = linkTo(controls.stream);
    setText(copied, ""); // So that it is announced again.
    const done = await copy(link);
    if (link === linkTo(controls.stream)) setText(copied, done ? "Link copied" : `Copy this link: ${link}`);
  }

  #showState(state) {
    const { state: badge, stop, controls } = this.#elements;
    setText(badge, STATE_WORDS[state] ?? state);
    badge.dataset.state = state;
    const over = ["ended", "failed"].includes(state);
    stop.disabled = over;
    if (state === "connecting") this.#reset(); // A new playback.
    if (over) this.#finish(controls.playback?.progress);
    this.#describe();
  }

  #reset() {
    this.#startedAt = performance.now();
    this.#recent = [];
    this.#graph.clear();
    for (const name of ["ahead", "rate", "received", "total", "offset", "epoch"]) this.#show(name, "–");
  }

  /** Shows that nothing arrives any more. `progress` is undefined where the user has stopped the playback. */
  #finish(progress) {
    if (progress !== undefined) this.#add(progress);
    this.#graph.finish();
    this.#recent = [];
    this.#show("rate", "–");
    this.#show("ahead", "–");
    if (this.#elements["figure-total"].textContent === "in progress") this.#show("total", "unknown");
  }

  #showError(error) {
    const details = error.details === null ? "" : ` ${error.details}`;
    this.#log.add(error.code, `${error.message}${details}`, { bad: true });
  }

  #showControl({ event, timestamp, ...rest }) {
    if (event === "start_of_stream") {
      this.#started = rest;
      this.#describe();
    }
    delete rest.stream_id;
    this.#log.add(event, brief(rest), { timestamp });
  }

  #sample() {
    const { playback } = this.#elements.controls;
    if (playback === null || ["ended", "failed"].includes(playback.state)) return;
    this.#add(playback.progress);
  }

  #add(progress) {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const { currentTime, aheadSeconds, offset, receivedBytes } = progress;
    const end = currentTime + aheadSeconds;
    this.#recent = this.#recent.filter((sample) => seconds - sample.seconds <= RATE_SECONDS);
    this.#recent.push({ seconds, receivedBytes, density: end === 0 ? 0 : offset / end });
    // What has just arrived is not counted in seconds yet, so the least is right.
    const density = Math.min(...this.#recent.map((sample) => sample.density));
    this.#graph.add(seconds, offset, currentTime * density);
    this.#showProgress(progress);
  }

  #showProgress({ receivedBytes, aheadSeconds, offset, epoch, totalBytes }) {
    const [before, now] = [this.#recent[0], this.#recent.at(-1)];
    const rate = (now.receivedBytes - before.receivedBytes) / Math.max(1, now.seconds - before.seconds);
    this.#show("ahead", `${aheadSeconds.toFixed(1)} s`);
    this.#show("rate", `${size(rate)}/s`);
    this.#show("received", size(receivedBytes));
    this.#show("total", totalBytes === null ? "in progress" : size(totalBytes));
    this.#show("offset", String(offset));
    this.#show("epoch", epoch ?? "–");
  }

  #show(name, text) {
    setText(this.#elements[`figure-${name}`], text);
  }
}
