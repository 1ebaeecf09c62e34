/** The page for operators: signs in, asks every few seconds, and does what is confirmed. */

import { Api, RequestError } from "./api.js";
import { Confirmation } from "./confirm.js";
import { byId, quoted, setText } from "./dom.js";
import { NodesView } from "./nodes_view.js";
import { Poller } from "./poller.js";
import { SessionsView } from "./sessions_view.js";
import { StreamsView } from "./streams_view.js";
import type { ListenedStreams, Nodes, Session, Sessions } from "./types.js";

const PAUSE_MS = 5_000;
const WRONG_TOKEN = "This token is wrong. It must be the server's ASF_INTERNAL_API_TOKEN.";
const FORMER_TOKEN = "The server does not accept this token any more. Was it started again with another ASF_INTERNAL_API_TOKEN?";

const api = new Api();
const confirmation = new Confirmation();
const nodes = new NodesView();
const streams = new StreamsView({ select: selectStream, remove: removeStream }, () => poller.now());
const sessions = new SessionsView(disconnect, () => poller.now());
const poller = new Poller(refresh, PAUSE_MS);

const alertBox = byId("alert");
const live = byId("live");
/** When the server has last answered. */
let answered: Date | null = null;

/** What those notice whom an operator disconnects, by the kind of the session. */
const CONSEQUENCES: Readonly<Record<Session["kind"], string>> = {
  listener: "Its client receives ASF_DISCONNECTED, and does not reconnect by itself.",
  subscriber: "Its client receives ASF_DISCONNECTED, and does not subscribe again by itself.",
  upload: "The backend receives ASF_DISCONNECTED. Unless it resumes the upload, the stream fails.",
};
const HTTP_CONSEQUENCE = "The connection is reset. A player by URL may request the audio again, which HTTP cannot prevent.";

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
  answered = new Date();
  setLive("live", "Live");
}

function onFailure(error: unknown): void {
  const failed = error instanceof RequestError ? error : new RequestError(String(error));
  if (failed.code === "ASF_UNAUTHORIZED") {
    showSignIn(!api.hasToken ? "" : answered === null ? WRONG_TOKEN : FORMER_TOKEN, failed.details);
    return;
  }
  setLive("failed", "Not live");
  showAlert(`${failed.message} ${answered === null ? "" : `What is shown is from ${answered.toLocaleTimeString()}. `}The page tries again.`);
}

/** `problem` is what is wrong with the token, `reason` why the server wants one. */
function showSignIn(problem: string, reason = ""): void {
  poller.stop();
  api.signOut();
  answered = null;
  alertBox.hidden = true;
  announce("");
  byId("content").hidden = true;
  byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  byId("sign-in-problem").hidden = problem === "";
  setText(byId("sign-in-problem"), problem);
  byId("sign-in-reason").hidden = reason === "";
  setText(byId("sign-in-reason"), `The server's reason: ${reason}`);
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
  const consequence = session.kind === "listener" && session.transport === "http" ? HTTP_CONSEQUENCE : CONSEQUENCES[session.kind];
  const text = `${session.kind} ${session.id} of ${quoted(subject)}, at ${session.address ?? "an unknown address"}. ${consequence}`;
  void act("Disconnect?", text, "Disconnect", async () => {
    await api.delete(`sessions/${encodeURIComponent(session.id)}`);
    return `Disconnected ${session.id}.`;
  });
}

function removeStream(streamId: string): void {
  const text = `${quoted(streamId)}. New listeners cannot join it; current ones hear it to its end. Uploaded audio is deleted, a file is kept.`;
  void act("Delete this stream?", text, "Delete", async () => {
    await api.delete(`streams/${encodeURIComponent(streamId)}`);
    return `Deleted ${quoted(streamId)}.`;
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
  const question = `${quoted(name ?? "")} to all subscribers of ${quoted(client ?? "")}: ${text}`;
  void act("Send this update?", question, "Send", async () => {
    const sent = await api.post<{ subscribers: number }>("send_ui_update", { client_id: client, event_name: name, data });
    return `Sent to ${sent.subscribers} subscriber(s) of ${quoted(client ?? "")}.`;
  });
}

function signIn(event: Event): void {
  event.preventDefault();
  const token = byId<HTMLInputElement>("token");
  const accepted = api.signIn(token.value.trim());
  token.value = "";
  if (accepted) poller.start();
  else showSignIn(WRONG_TOKEN);
}

byId("sign-in-form").addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", () => showSignIn(""));
byId("update").addEventListener("submit", sendUpdate);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) setLive("idle", "Paused");
});
poller.start();
