import { button, byId, printable } from "./dom.js";
import { bytesText, countsText } from "./format.js";
import { Pages } from "./pages.js";
import { Table } from "./table.js";
import type { ListenedStream, ListenedStreams } from "./types.js";

export interface StreamActions {
  select: (streamId: string) => void;
  remove: (streamId: string) => void;
}

/** The streams that have listeners. */
export class StreamsView {
  readonly pages: Pages;
  readonly #table: Table<ListenedStream>;

  constructor(actions: StreamActions, changed: () => void) {
    this.pages = new Pages("streams", changed);
    this.#table = new Table<ListenedStream>(byId("streams"), {
      key: (stream) => stream.stream_id,
      first: ({ stream_id: id }) => {
        const made = button(printable(id), `Show who listens to ${printable(id)}`, () => actions.select(id));
        made.className = "link";
        return made;
      },
      cells: (stream) => [
        String(stream.listeners),
        stream.blocked > 0 ? { text: String(stream.blocked), className: "warm" } : "0",
        { text: countsText(stream.transports), className: "wide" },
        { text: countsText(stream.nodes), className: "wide" },
        bytesText(stream.bytes),
      ],
      actions: ({ stream_id: id }) => [button("Delete", `Delete stream ${printable(id)}`, () => actions.remove(id))],
    });
  }

  show(body: ListenedStreams): void {
    this.#table.show(body.streams);
    this.pages.show(body.next_cursor);
    byId("streams-empty").hidden = body.streams.length > 0;
    byId("streams-table").hidden = body.streams.length === 0;
  }
}
