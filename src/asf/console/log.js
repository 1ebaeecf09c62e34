/** Most entries kept. */
const MAX_ENTRIES = 200;

/** A list of messages, the latest first. */
export class Log {
  #list;
  #empty;

  /** @param empty element shown while the log is empty. */
  constructor(list, empty) {
    this.#list = list;
    this.#empty = empty;
  }

  /** Adds an entry; `timestamp` is in seconds since the Unix epoch. */
  add(name, details, { timestamp = Date.now() / 1000, bad = false } = {}) {
    const when = new Date(timestamp * 1000);
    const time = document.createElement("time");
    time.dateTime = when.toISOString();
    time.textContent = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    const title = document.createElement("b");
    title.textContent = name;
    const code = document.createElement("code");
    code.textContent = details;
    const entry = document.createElement("li");
    entry.classList.toggle("bad", bad);
    entry.append(time, title, code);
    this.#list.prepend(entry);
    while (this.#list.children.length > MAX_ENTRIES) this.#list.lastElementChild.remove();
    this.#empty.hidden = true;
  }

  /** Removes all entries. */
  clear() {
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }
}
