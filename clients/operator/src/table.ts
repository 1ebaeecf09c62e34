import { element, focusHeading, setText } from "./dom.js";

/** A cell: its text, and its classes: "warm" or "bad" if it is to be noticed, "wide" if it is long text, which wraps. */
export type Cell = string | { text: string; className: string };

/** How the items of a table are shown. `first` makes the row's header, and `actions` its buttons, once for each item. */
export interface Columns<Item> {
  key: (item: Item) => string;
  first: (item: Item) => HTMLElement;
  cells: (item: Item) => Cell[];
  actions?: (item: Item) => HTMLElement[];
}

/**
 * Shows items as the rows of a table. A row stays the same element while its item is there: the focus does not move, and
 * nothing accumulates however often the table is updated.
 */
export class Table<Item> {
  readonly #body: HTMLTableSectionElement;
  readonly #columns: Columns<Item>;
  /** What heads each column: in a narrow window, each of its cells. */
  readonly #labels: string[];
  #rows = new Map<string, HTMLTableRowElement>();

  constructor(body: HTMLElement, columns: Columns<Item>) {
    this.#body = body as HTMLTableSectionElement;
    this.#columns = columns;
    this.#labels = [...(this.#body.parentElement?.querySelectorAll("thead th") ?? [])].map((one) => one.textContent ?? "");
  }

  show(items: readonly Item[]): void {
    const rows = new Map<string, HTMLTableRowElement>();
    for (const item of items) {
      const key = this.#columns.key(item);
      const row = this.#rows.get(key) ?? this.#create(item);
      this.#update(row, item);
      rows.set(key, row);
    }
    let hadFocus = false;
    for (const [key, row] of this.#rows) {
      if (rows.has(key)) continue;
      hadFocus ||= row.contains(document.activeElement);
      row.remove();
    }
    let expected = this.#body.firstElementChild;
    for (const row of rows.values()) {
      if (row === expected) expected = row.nextElementSibling;
      else this.#body.insertBefore(row, expected);
    }
    this.#rows = rows;
    if (hadFocus) focusHeading(this.#body);
  }

  #create(item: Item): HTMLTableRowElement {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    const header = element("th");
    header.setAttribute("scope", "row");
    header.setAttribute("role", "rowheader");
    header.append(this.#columns.first(item));
    row.append(header, ...this.#columns.cells(item).map((_, index) => this.#cell(index + 1)));
    if (this.#columns.actions !== undefined) {
      const actions = this.#cell(row.cells.length);
      actions.className = "actions";
      actions.append(...this.#columns.actions(item));
      row.append(actions);
    }
    return row;
  }

  /** A cell that says its role: the style of narrow windows would take it away (CSS Display, appendix B). */
  #cell(column: number): HTMLElement {
    const made = element("td");
    made.setAttribute("role", "cell");
    made.dataset["label"] = this.#labels[column] ?? "";
    return made;
  }

  #update(row: HTMLTableRowElement, item: Item): void {
    this.#columns.cells(item).forEach((cell, index) => {
      const target = row.cells[index + 1];
      if (target === undefined) return;
      setText(target, typeof cell === "string" ? cell : cell.text);
      target.className = typeof cell === "string" ? "" : cell.className;
    });
  }
}
