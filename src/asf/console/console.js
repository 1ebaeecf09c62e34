import { connect } from "asf-client";

import { Log } from "./log.js";
import { Player } from "./player.js";
import { StreamList } from "./streams.js";
import { brief } from "./words.js";

const CONNECTION_WORDS = { idle: "not connected", connecting: "connecting", connected: "connected", reconnecting: "reconnecting" };

const MISSED_UPDATES = "You were disconnected longer than the server keeps history.";

const elements = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const client = connect(location.origin);
const events = new Log(elements.events, elements["events-empty"]);
const updates = new Log(elements.updates, elements["updates-empty"]);
const player = new Player(client, elements, events);
const streams = new StreamList(
  { list: elements.streams, empty: elements["streams-empty"], count: elements["stream-count"], more: elements.more },
  (stream) => play(stream.stream_id, stream.content_type ?? ""),
);
let watch = null;

function showConnection(state) {
  elements.connection.dataset.state = state;
  elements["connection-text"].textContent = CONNECTION_WORDS[state];
}

function play(streamId, about) {
  player.play(streamId, about);
  streams.mark(streamId);
  elements.player.scrollIntoView({ block: "nearest" });
}

function watchClient(clientId, options) {
  watch?.close();
  updates.clear();
  elements.progress.hidden = true;
  elements["client-id"].value = clientId;
  elements.watching.textContent = "";
  watch = client.watch(clientId, options);
  watch.on("subscribed", () => (elements.watching.textContent = `watching ${clientId}`));
  watch.on("gap", () => updates.add("Missed updates", MISSED_UPDATES, { bad: true }));
  watch.on("error", ({ error }) => updates.add(error.code, error.message, { bad: true }));
  watch.on("update", ({ event, data, seq, timestamp }) => {
    updates.add(event, `#${seq} ${brief(data)}`, { timestamp });
    showProgress(event, data);
  });
}

/** Shows the percentage of an update in the progress bar. */
function showProgress(event, data) {
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

/** Starts a demo podcast: one that speaks `text`, or else the clip. */
async function startDemo(text) {
  const options = { method: "POST" };
  if (text !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify({ text });
  }
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
    notice(whatToInstall);
    watchClient(clientId, { history: true });
    play(streamId, "Demo podcast, being generated now");
    await streams.refresh();
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
elements.clear.addEventListener("click", () => events.clear());
elements.join.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  play(elements["stream-id"].value.trim());
});
elements.watch.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  watchClient(elements["client-id"].value.trim(), {});
});
watchClient(`console-${Math.random().toString(36).slice(2, 8)}`, {});
