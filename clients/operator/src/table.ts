import { element, setText } from "./dom.js";

/** A cell: its text, and a class if it is to be noticed. */
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
  #rows = new Map<string, HTMLTableRowElement>();

  constructor(body: HTMLElement, columns: Columns<Item>) {
    this.#body = body as HTMLTableSectionElement;
    this.#columns = columns;
  }

  show(items: readonly Item[]): void {
    const rows = new Map<string, HTMLTableRowElement>();
    for (const item of items) {
      const key = this.#columns.key(item);
      const row = this.#rows.get(key) ?? this.#create(item);
      this.#update(row, item);
      rows.set(key, row);
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.remove();
    let expected = this.#body.firstElementChild;
    for (const row of rows.values()) {
      if (row === expected) expected = row.nextElementSibling;
      else this.#body.insertBefore(row, expected);
    }
    this.#rows = rows;
  }

  #create(item: Item): HTMLTableRowElement {
    const row = document.createElement("tr");
    const header = element("th");
    header.setAttribute("scope", "row");
    header.append(this.#columns.first(item));
    row.append(header, ...this.#columns.cells(item).map(() => element("td")));
    if (this.#columns.actions !== undefined) {
      const actions = element("td", "", "actions");
      actions.append(...this.#columns.actions(item));
      row.append(actions);
    }
    return row;
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
