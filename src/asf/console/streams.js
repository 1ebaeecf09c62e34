import { moment, setText, titleOf } from "./words.js";

/** Refresh interval, in milliseconds. */
const REFRESH_MS = 2000;

const FIRST_LIMIT = 100;
const MAX_LIMIT = 1000;

/** The list of announced streams; refreshes itself while the page is visible. */
export class StreamList {
  #elements;
  #choose;
  #changed;
  #rows = new Map();
  #current = null;
  #limit = FIRST_LIMIT;

  /**
   * @param elements `list`, `empty`, `count` and `more` of the page.
   * @param choose called with the id of a stream that is pressed.
   * @param changed called with the current stream after each refresh; with null if it is not in the catalog.
   */
  constructor(elements, choose, changed) {
    this.#elements = elements;
    this.#choose = choose;
    this.#changed = changed;
    elements.more.addEventListener("click", () => {
      this.#limit = MAX_LIMIT;
      void this.refresh();
    });
    setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
    void this.refresh();
  }

  /** Marks the current stream. */
  mark(streamId) {
    this.#current = streamId;
    for (const [id, { button }] of this.#rows) button.setAttribute("aria-current", String(id === streamId));
  }

  /** Fetches the list. If that fails, the previous one stays, and the page says so. */
  async refresh() {
    const page = await fetchJson(`/asf/internal/streams?limit=${this.#limit}`);
    if (page === null) {
      setText(this.#elements.count, "not up to date");
      return;
    }
    const streams = page.streams.sort((one, other) => other.announced_at - one.announced_at);
    const { list, empty, count, more } = this.#elements;
    for (const [id, { item }] of this.#rows) {
      if (streams.some((stream) => stream.stream_id === id)) continue;
      item.remove();
      this.#rows.delete(id);
    }
    streams.forEach((stream, index) => {
      const row = this.#rows.get(stream.stream_id) ?? this.#newRow(stream.stream_id);
      row.fill(stream);
      // Moving a row that is already in order would take the focus from it.
      if (list.children[index] !== row.item) list.insertBefore(row.item, list.children[index] ?? null);
    });
    this.mark(this.#current);
    empty.hidden = streams.length > 0;
    const complete = page.next_cursor === null;
    setText(count, streams.length === 0 ? "" : `${streams.length}${complete ? "" : "+"} announced`);
    more.hidden = complete || this.#limit === MAX_LIMIT;
    await this.#report(streams, complete);
  }

  async #report(streams, complete) {
    const current = this.#current;
    if (current === null) return;
    let stream = streams.find(({ stream_id: id }) => id === current) ?? null;
    if (stream === null && !complete) stream = await fetchJson(`/asf/internal/streams/${encodeURIComponent(current)}`);
    if (current === this.#current) this.#changed(stream);
  }

  #newRow(streamId) {
    const item = document.createElement("li");
    item.innerHTML = `<button type="button">
      <span class="disc"><svg aria-hidden="true"><use href="#icon-play"/></svg></span>
      <span class="names"><span></span><span class="quiet"></span></span>
      <span class="badge"></span></button>`;
    const button = item.querySelector("button");
    const [name, details] = item.querySelectorAll(".names span");
    const badge = item.querySelector(".badge");
    button.addEventListener("click", () => this.#choose(streamId));
    const row = {
      item,
      button,
      fill: (stream) => {
        const title = titleOf(stream.metadata);
        const type = stream.content_type ?? "audio";
        const when = moment(stream.announced_at);
        setText(name, title || streamId);
        const about = [title && streamId, stream.content_type?.replace("audio/", ""), when].filter(Boolean);
        setText(details, about.length > 1 ? about.join(" · ") : `announced ${when}`);
        setText(badge, stream.state);
        badge.dataset.state = stream.state;
        button.setAttribute("aria-label", `Play ${[title, streamId, type, stream.state].filter(Boolean).join(", ")}`);
      },
    };
    this.#rows.set(streamId, row);
    return row;
  }
}

/** Returns what the server has at a path; null if it does not respond, or has nothing there. */
async function fetchJson(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
