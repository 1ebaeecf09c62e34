/** Refresh interval, in milliseconds. */
const REFRESH_MS = 2000;

const FIRST_LIMIT = 100;
const MAX_LIMIT = 1000;

/** The list of announced streams; refreshes itself while the page is visible. */
export class StreamList {
  #elements;
  #choose;
  #rows = new Map();
  #current = null;
  #limit = FIRST_LIMIT;

  /**
   * @param elements `list`, `empty`, `count` and `more` of the page.
   * @param choose called with the selected stream.
   */
  constructor(elements, choose) {
    this.#elements = elements;
    this.#choose = choose;
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

  /** Fetches the list. If that fails, the previous one stays. */
  async refresh() {
    let page;
    try {
      const response = await fetch(`/asf/internal/streams?limit=${this.#limit}`);
      if (!response.ok) return;
      page = await response.json();
    } catch {
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
    count.textContent = streams.length === 0 ? "" : `${streams.length}${page.next_cursor === null ? "" : "+"} announced`;
    more.hidden = page.next_cursor === null || this.#limit === MAX_LIMIT;
  }

  #newRow(streamId) {
    const item = document.createElement("li");
    item.innerHTML = `<button type="button">
      <span class="disc"><svg aria-hidden="true"><use href="#icon-play"/></svg></span>
      <span class="names"><span></span><span class="quiet"></span></span>
      <span class="badge"></span></button>`;
    const button = item.querySelector("button");
    const [name, about] = item.querySelectorAll(".names span");
    const badge = item.querySelector(".badge");
    let latest;
    button.addEventListener("click", () => this.#choose(latest));
    const row = {
      item,
      button,
      fill: (stream) => {
        latest = stream;
        const type = stream.content_type ?? "audio";
        const when = new Date(stream.announced_at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
        setText(name, streamId);
        setText(about, stream.content_type === null ? `announced ${when}` : `${type.replace("audio/", "")} · ${when}`);
        setText(badge, stream.state);
        badge.dataset.state = stream.state;
        button.setAttribute("aria-label", `Play ${streamId}, ${type}, ${stream.state}`);
      },
    };
    this.#rows.set(streamId, row);
    return row;
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
