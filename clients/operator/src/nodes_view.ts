import { byId, element, setText } from "./dom.js";
import { bytesText, durationText, millisecondsText } from "./format.js";
import { Table, type Cell } from "./table.js";
import type { Nodes, NodeStatus } from "./types.js";

/** A turn of the event loop from which on a node is called slow, in seconds: listeners hear such a gap. */
const SLOW_SECONDS = 0.1;

type Row = NodeStatus | { node: string; last_seen_seconds: number };

/** The nodes, and the joins that they have rejected. */
export class NodesView {
  readonly #table = new Table<Row>(byId("nodes"), { key: (row) => row.node, first: nameOf, cells: cellsOf });
  readonly #rejections = new Table<[string, number, number, string]>(byId("rejections"), {
    key: ([code]) => code,
    first: ([code]) => element("code", code),
    cells: ([, count, recent, meaning]) => [String(count), recent > 0 ? { text: `+${recent}`, className: "warm" } : "–", { text: meaning, className: "wide" }],
  });
  /** The counts at the first look, by node and code: what is shown as recent is since then. Of nodes that were started later, none. */
  readonly #baseline = new Map<string, Map<string, number>>();
  readonly #openedMs = performance.now();

  show(body: Nodes): void {
    // A node keeps its row when it no longer answers.
    this.#table.show([...body.nodes, ...body.not_answering].sort((a, b) => a.node.localeCompare(b.node)));
    const problems = body.nodes.flatMap((node) => node.problems.map((problem) => `${node.node}: ${problem}`));
    if (body.problem !== null) problems.push(`Other nodes could not be asked: ${body.problem}`);
    const notice = byId("problems");
    setText(notice, problems.join("\n"));
    notice.hidden = problems.length === 0;
    this.#showSharedLimits(body.nodes);
    this.#showRejections(body);
  }

  /** Say what workers may have together: the limit of a worker is not its own. */
  #showSharedLimits(nodes: NodeStatus[]): void {
    const limits = new Set(nodes.flatMap((node) => (node.worker === null ? [] : [node.max_listeners])));
    const hint = byId("shared-limits");
    setText(hint, `The workers of a server share its limit: ${[...limits].sort((a, b) => a - b).join(" or ")} listeners together.`);
    hint.hidden = limits.size === 0;
  }

  #showRejections(body: Nodes): void {
    const totals = new Map<string, [number, number]>();
    const known = new Set(body.nodes.map((node) => node.node));
    for (const node of this.#baseline.keys()) if (!known.has(node)) this.#baseline.delete(node);
    for (const node of body.nodes) {
      const counts = new Map(Object.entries(node.joins_rejected));
      const isNew = node.uptime_seconds * 1000 < performance.now() - this.#openedMs;
      const before = this.#baseline.get(node.node) ?? (isNew ? new Map<string, number>() : counts);
      this.#baseline.set(node.node, before);
      for (const [code, count] of counts) {
        const [total, recent] = totals.get(code) ?? [0, 0];
        totals.set(code, [total + count, recent + count - (before.get(code) ?? 0)]);
      }
    }
    const rows = [...totals].map(([code, [total, recent]]): [string, number, number, string] => {
      return [code, total, recent, body.explanations[code] ?? ""];
    });
    rows.sort(([a], [b]) => a.localeCompare(b));
    this.#rejections.show(rows);
    byId("rejections-empty").hidden = rows.length > 0;
    byId("rejections-table").hidden = rows.length === 0;
  }
}

function nameOf(row: Row): HTMLElement {
  return element("span", "version" in row && row.worker !== null ? `${row.node} (worker ${row.worker})` : row.node);
}

function cellsOf(row: Row): Cell[] {
  if (!("version" in row)) {
    const text = `not answering, last heartbeat ${durationText(row.last_seen_seconds)} ago`;
    return [{ text, className: "bad wide" }, ...Array<string>(10).fill("")];
  }
  return [
    row.state === "ready" ? "ready" : { text: row.state === "draining" ? "draining" : "not ready", className: "bad" },
    row.version,
    durationText(row.uptime_seconds),
    row.worker === null ? `${row.listeners} of ${row.max_listeners}` : String(row.listeners),
    String(row.listeners_blocked),
    String(row.subscribers),
    String(row.uploads),
    String(row.connections),
    turnOf(row.longest_turn_seconds),
    redisOf(row.redis),
    bytesText(row.memory_bytes),
  ];
}

function turnOf(seconds: number | null): Cell {
  if (seconds === null) return "under 20 ms";
  const text = millisecondsText(seconds);
  return seconds < SLOW_SECONDS ? text : { text: `${text} – slow`, className: "warm" };
}

function redisOf(redis: NodeStatus["redis"]): Cell {
  if (redis === null) return "none";
  if (!redis.connected) return { text: redis.problem ?? "lost", className: "bad wide" };
  return redis.latency_seconds === null ? "connected" : millisecondsText(redis.latency_seconds);
}
