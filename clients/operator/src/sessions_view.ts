import { button, byId, element, printable, setText } from "./dom.js";
import { bytesText, durationText } from "./format.js";
import { Pages } from "./pages.js";
import { Table, type Cell } from "./table.js";
import type { Session, Sessions } from "./types.js";

const FILTERS = ["kind", "stream_id", "client_id", "address", "node"] as const;

/** What each `waits_for` means. */
const WAITS: Readonly<Record<string, string>> = {
  look_up: "for its stream to be looked up",
  announcement: "for its stream to be announced",
  resume: "paused by the listener",
  client: "for the client to read",
  acknowledgement: "for an acknowledgement (window full)",
  growth: "for more audio to be generated",
  storage: "for the audio's storage",
  replay: "for earlier updates",
};

/** The sessions that the filter selects, one page at a time. */
export class SessionsView {
  readonly pages: Pages;
  readonly #form = byId<HTMLFormElement>("filter");
  readonly #table: Table<Session>;
  #wanted: Record<string, string> = {};

  constructor(disconnect: (session: Session) => void, changed: () => void) {
    const again = (): void => {
      this.#read();
      changed();
    };
    this.pages = new Pages("sessions", changed);
    this.#table = new Table<Session>(byId("sessions"), {
      key: (session) => `${session.node} ${session.id}`,
      first: (session) => element("code", session.id),
      cells: cellsOf,
      actions: (session) => [button("Disconnect", `Disconnect ${session.kind} ${session.id}`, () => disconnect(session))],
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      again();
    });
    byId("filter-clear").addEventListener("click", () => {
      this.#form.reset();
      again();
    });
  }

  /** What to ask for. */
  get query(): Record<string, string> {
    return { ...this.#wanted, cursor: this.pages.cursor, limit: "100" };
  }

  /** Selects who listens to a stream. */
  select(streamId: string): void {
    this.#form.reset();
    byId<HTMLInputElement>("filter-stream_id").value = streamId;
    this.#read();
  }

  show(body: Sessions): void {
    this.#table.show(body.sessions);
    this.pages.show(body.next_cursor);
    const empty = byId("sessions-empty");
    setText(empty, Object.keys(this.#wanted).length === 0 ? "None." : "No session matches. Ids, addresses and nodes must be exactly as they are shown here.");
    empty.hidden = body.sessions.length > 0;
    byId("sessions-table").hidden = body.sessions.length === 0;
  }

  #read(): void {
    this.#wanted = {};
    for (const name of FILTERS) {
      const value = byId<HTMLInputElement | HTMLSelectElement>(`filter-${name}`).value.trim();
      if (value !== "") this.#wanted[name] = value;
    }
    this.pages.reset();
  }
}

function cellsOf(session: Session): Cell[] {
  const subject = printable(session.stream_id ?? session.client_id ?? "");
  const claimed = printable(session.forwarded_for ?? "");
  return [
    session.kind,
    { text: subject, className: "wide" },
    { text: claimed === "" ? (session.address ?? "–") : `${session.address ?? ""} (claims ${claimed})`, className: claimed === "" ? "" : "wide" },
    session.transport ?? "–",
    session.node,
    `${durationText(Date.now() / 1000 - session.since)} ago`,
    session.bytes === null ? "–" : bytesText(session.bytes),
    session.ahead_seconds === null ? "–" : durationText(session.ahead_seconds),
    session.behind_bytes === null ? "–" : bytesText(session.behind_bytes),
    stateOf(session),
  ];
}

function stateOf(session: Session): Cell {
  const waits = session.waits_for === null ? "" : `, waits ${WAITS[session.waits_for] ?? session.waits_for}`;
  if (!session.blocked) return { text: `${session.state}${waits}`, className: "wide" };
  const silence = session.silent_seconds === null ? "" : ` since ${durationText(session.silent_seconds)}`;
  return { text: `blocked${silence}: waits for the client to read`, className: "warm wide" };
}
