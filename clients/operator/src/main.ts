/** The page for operators: signs in, asks every few seconds, and does what is confirmed. */

import { Api, RequestError } from "./api.js";
import { Confirmation } from "./confirm.js";
import { byId, setText } from "./dom.js";
import { NodesView } from "./nodes_view.js";
import { Poller } from "./poller.js";
import { SessionsView } from "./sessions_view.js";
import { StreamsView } from "./streams_view.js";
import type { ListenedStreams, Nodes, Session, Sessions } from "./types.js";

const PAUSE_MS = 5_000;

const api = new Api();
const confirmation = new Confirmation();
const nodes = new NodesView();
const streams = new StreamsView({ select: selectStream, remove: removeStream }, () => poller.now());
const sessions = new SessionsView(disconnect, () => poller.now());
const poller = new Poller(refresh, PAUSE_MS);

const alertBox = byId("alert");
const live = byId("live");

/** Asks for everything that is shown. */
async function refresh(signal: AbortSignal): Promise<void> {
  try {
    const [status, listened, found] = await Promise.all([
      api.get<Nodes>("nodes", {}, signal),
      api.get<ListenedStreams>("listeners", { limit: "100", cursor: streams.pages.cursor }, signal),
      api.get<Sessions>("sessions", sessions.query, signal),
    ]);
    if (signal.aborted) return;
    nodes.show(status);
    streams.show(listened);
    sessions.show(found);
    showSignedIn();
  } catch (error) {
    if (signal.aborted) return;
    onFailure(error);
    throw error;
  }
}

function showSignedIn(): void {
  api.keepToken();
  byId("sign-in").hidden = true;
  byId("content").hidden = false;
  byId("sign-out").hidden = !api.hasToken;
  alertBox.hidden = true;
  setLive("live", "Live");
}

function onFailure(error: unknown): void {
  const failed = error instanceof RequestError ? error : new RequestError(String(error));
  if (failed.code === "ASF_UNAUTHORIZED") {
    showSignIn(api.hasToken ? "This token is wrong. It must be the server's ASF_INTERNAL_API_TOKEN." : "");
    return;
  }
  setLive("failed", "Not live");
  showAlert(`${failed.message} What is shown may be old.`);
}

function showSignIn(problem: string): void {
  poller.stop();
  api.signOut();
  byId("content").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in-problem").hidden = problem === "";
  setText(byId("sign-in-problem"), problem);
  const token = byId<HTMLInputElement>("token");
  token.setAttribute("aria-invalid", String(problem !== ""));
  token.focus();
  setLive("idle", "Signed out");
}

function setLive(state: string, text: string): void {
  live.dataset["state"] = state;
  setText(byId("live-text"), text);
}

function showAlert(text: string): void {
  setText(alertBox, text);
  alertBox.hidden = false;
}

function announce(text: string): void {
  setText(byId("done"), text);
}

/** Does what the operator has confirmed, says what came of it, and shows what has changed. */
async function act(title: string, text: string, action: string, work: () => Promise<string>): Promise<void> {
  if (!(await confirmation.ask(title, text, action))) return;
  announce("");
  try {
    announce(await work());
  } catch (error) {
    announce(`Failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  poller.now();
}

function disconnect(session: Session): void {
  const subject = session.stream_id ?? session.client_id ?? "";
  const text = `${session.kind} ${session.id} of ${subject}, at ${session.address ?? "an unknown address"}. Its client receives ASF_DISCONNECTED, and does not reconnect by itself.`;
  void act("Disconnect?", text, "Disconnect", async () => {
    await api.delete(`sessions/${encodeURIComponent(session.id)}`);
    return `Disconnected ${session.id}.`;
  });
}

function removeStream(streamId: string): void {
  const text = `${streamId}. New listeners cannot join it; current ones hear it to its end. Uploaded audio is deleted, a file is kept.`;
  void act("Delete this stream?", text, "Delete", async () => {
    await api.delete(`streams/${encodeURIComponent(streamId)}`);
    return `Deleted ${streamId}.`;
  });
}

function selectStream(streamId: string): void {
  sessions.select(streamId);
  poller.now();
  const title = byId("sessions-title");
  title.scrollIntoView();
  title.focus();
}

function sendUpdate(event: Event): void {
  event.preventDefault();
  const [client, name, text] = ["update-client", "update-event", "update-data"].map((id) => byId<HTMLInputElement>(id).value);
  let data: unknown;
  try {
    data = JSON.parse(text ?? "");
  } catch {
    announce('The data must be JSON, such as {"percentage": 50} or "done".');
    return;
  }
  const question = `${name} to all subscribers of ${client}: ${text}`;
  void act("Send this update?", question, "Send", async () => {
    const sent = await api.post<{ subscribers: number }>("send_ui_update", { client_id: client, event_name: name, data });
    return `Sent to ${sent.subscribers} subscriber(s) of ${client}.`;
  });
}

function signIn(event: Event): void {
  event.preventDefault();
  const token = byId<HTMLInputElement>("token");
  api.signIn(token.value.trim());
  token.value = "";
  poller.start();
}

byId("sign-in-form").addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", () => showSignIn(""));
byId("update").addEventListener("submit", sendUpdate);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) setLive("idle", "Paused");
});
poller.start();
