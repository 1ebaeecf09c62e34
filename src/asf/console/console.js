import { connect } from "asf-client";

import { Log } from "./log.js";
import { linkedStream } from "./links.js";
import { Player } from "./player.js";
import { StreamList } from "./streams.js";
import { brief, setText } from "./words.js";

const CONNECTION_WORDS = { idle: "not connected", connecting: "connecting", connected: "connected", reconnecting: "reconnecting" };

const MISSED_UPDATES = "You were disconnected longer than the server keeps history.";

const elements = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const client = connect(location.origin);
const events = new Log(elements.events, elements["events-empty"]);
const updates = new Log(elements.updates, elements["updates-empty"]);
const player = new Player(client, elements, events);
const streams = new StreamList(
  { list: elements.streams, empty: elements["streams-empty"], count: elements["stream-count"], more: elements.more },
  play,
  (stream) => player.update(stream),
);
let watch = null;
let watched = "";

function showConnection(state) {
  elements.connection.dataset.state = state;
  elements["connection-text"].textContent = CONNECTION_WORDS[state];
  if (state === "connected") {
    notice("");
    void streams.refresh();
  } else showWatching(false);
}

/** Shows whether the updates arrive. */
function showWatching(subscribed) {
  const state = watch === null ? "not watching" : subscribed ? "watching" : "connecting to";
  setText(elements.watching, `${state} ${watched}`);
}

function play(streamId) {
  notice("");
  player.play(streamId);
  streams.mark(streamId);
  void streams.refresh();
  elements.player.scrollIntoView({ block: "nearest" });
}

function watchClient(clientId, options) {
  watch?.close();
  updates.clear();
  elements.progress.hidden = true;
  elements["client-id"].value = clientId;
  watched = clientId;
  watch = client.watch(clientId, options);
  showWatching(false);
  watch.on("subscribed", () => showWatching(true));
  watch.on("gap", () => updates.add("Missed updates", MISSED_UPDATES, { bad: true }));
  watch.on("error", ({ error }) => {
    updates.add(error.code, error.message, { bad: true });
    if (error.retryable) return;
    watch = null; // It is closed.
    showWatching(false);
  });
  watch.on("update", ({ event, data, seq, timestamp }) => {
    updates.add(event, `#${seq} ${brief(data)}`, { timestamp });
    showProgress(event, data);
  });
}

/** Shows the percentage of an update in the progress bar; a failure instead of an earlier percentage. */
function showProgress(event, data) {
  if (event === "task_failed") elements["progress-text"].textContent = "Failed";
  const percentage = event === "task_completed" ? 100 : data?.percentage;
  if (typeof percentage !== "number") return;
  elements.progress.hidden = false;
  elements.percentage.value = percentage;
  const words = data?.message ?? data?.step;
  const message = typeof words === "string" ? words : event.replaceAll("_", " ");
  elements["progress-text"].textContent = `${message} · ${Math.round(percentage)} %`;
}

function notice(text) {
  elements.notice.hidden = text === "";
  elements.notice.textContent = text;
}

/** Starts a demo podcast: one that speaks `text`, or else the clip, at the selected speed. */
async function startDemo(text) {
  const body = JSON.stringify({ text, pace: Number(elements.pace.value) });
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  const button = text === undefined ? elements.demo : elements.speak.querySelector("button");
  notice("");
  button.disabled = true;
  try {
    const response = await fetch("/console/demo", options);
    if (response.status !== 202) {
      const { message, details } = await response.json();
      notice(details ?? message);
      return;
    }
    const { stream_id: streamId, client_id: clientId, notice: whatToInstall = "" } = await response.json();
    watchClient(clientId, { history: true });
    play(streamId);
    notice(whatToInstall);
  } catch (error) {
    notice(`No response from the server: ${error.message}`);
  } finally {
    button.disabled = false;
  }
}

client.on("connection", showConnection);
elements.demo.addEventListener("click", () => startDemo());
elements.speak.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  startDemo(elements.text.value);
});
elements.text.addEventListener("input", () => notice(""));
elements.clear.addEventListener("click", () => events.clear());
elements.join.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  play(elements["stream-id"].value.trim());
});
elements.watch.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  watchClient(elements["client-id"].value.trim(), {});
});
const linked = linkedStream();
if (linked !== null) {
  player.select(linked);
  streams.mark(linked);
  void streams.refresh();
}
watchClient(`console-${Math.random().toString(36).slice(2, 8)}`, {});
