import { connect } from "asf-client";

import { Log } from "./log.js";
import { Player } from "./player.js";
import { StreamList } from "./streams.js";
import { brief } from "./words.js";

const CONNECTION_WORDS = { idle: "not connected", connecting: "connecting", connected: "connected", reconnecting: "reconnecting" };

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
  elements.making.hidden = true;
  elements["client-id"].value = clientId;
  elements.watching.textContent = "";
  watch = client.watch(clientId, options);
  watch.on("subscribed", () => (elements.watching.textContent = `watching ${clientId}`));
  watch.on("gap", () => updates.add("gap", "Some updates are no longer kept.", { bad: true }));
  watch.on("error", ({ error }) => updates.add(error.code, error.message, { bad: true }));
  watch.on("update", ({ event, data, seq, timestamp }) => {
    updates.add(event, `#${seq} ${brief(data)}`, { timestamp });
    showMaking(event, data);
  });
}

/** An update that tells a percentage moves the bar. */
function showMaking(event, data) {
  const percentage = event === "task_completed" ? 100 : data?.percentage;
  if (typeof percentage !== "number") return;
  elements.making.hidden = false;
  elements.made.value = percentage;
  const words = data?.message ?? data?.step;
  const message = typeof words === "string" ? words : event.replaceAll("_", " ");
  elements["making-text"].textContent = `${message} · ${Math.round(percentage)} %`;
}

function notice(text) {
  elements.notice.hidden = text === "";
  elements.notice.textContent = text;
}

async function makeDemo() {
  notice("");
  elements.demo.disabled = true;
  try {
    const response = await fetch("/console/demo", { method: "POST" });
    if (response.status !== 202) {
      const { message, details } = await response.json();
      notice(`No demo podcast: ${message}${details ? ` ${details}` : ""}`);
      return;
    }
    const { stream_id: streamId, client_id: clientId } = await response.json();
    watchClient(clientId, { history: true });
    play(streamId, "A podcast that is being made right now");
    await streams.refresh();
  } catch (error) {
    notice(`The server does not answer: ${error.message}`);
  } finally {
    elements.demo.disabled = false;
  }
}

client.on("connection", showConnection);
elements.demo.addEventListener("click", makeDemo);
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
