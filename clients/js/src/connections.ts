import type { Channel, ChannelUser } from "./channel.js";
import { Connection, type ConnectionState } from "./connection.js";
import { connectionBlocked } from "./connection_errors.js";
import { Emitter } from "./emitter.js";
import { PageEvents } from "./page_events.js";

export type { Channel, ChannelUser } from "./channel.js";
export type { ConnectionState } from "./connection.js";

export interface ConnectionEvents {
  state: ConnectionState;
}

/**
 * The connections to one server.
 *
 * A connection carries one stream and the updates of one client, because messages do not name theirs. The first playback
 * and the first watch share a connection, so both reconnect together; more at the same time get further ones. A
 * connection that nothing uses any more serves the next user, and is closed after 10 s without one.
 */
export class Connections extends Emitter<ConnectionEvents> {
  readonly #url: string;
  readonly #path: string;
  readonly #page = new PageEvents({
    changed: () => this.#list.forEach((connection) => connection.check()),
    stopping: () => this.#list.forEach((connection) => connection.suspend()),
    blocked: (url) => this.#blocked(url),
  });
  /** The oldest first. */
  #list: Connection[] = [];
  #state: ConnectionState = "idle";

  /** @param url of the server, without a path. @param path of Socket.IO. */
  constructor(url: string, path: string) {
    super();
    this.#url = url;
    this.#path = path;
  }

  /** The worst state of the connections that are in use; `idle` if there are none. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects to a namespace. */
  open(namespace: string, user: ChannelUser): Channel {
    let connection = this.#list.find((candidate) => candidate.isFree(namespace));
    if (connection === undefined) {
      connection = new Connection(this.#url, this.#path, () => this.#update());
      this.#list.push(connection);
    }
    this.#page.start();
    return connection.open(namespace, user);
  }

  /** Closes all connections. */
  close(): void {
    for (const connection of [...this.#list]) connection.close();
  }

  #update(): void {
    this.#list = this.#list.filter((connection) => !connection.isClosed);
    if (this.#list.length === 0) this.#page.stop();
    const states = new Set(this.#list.map((connection) => connection.state));
    const worst = (["reconnecting", "connecting", "connected"] as const).find((state) => states.has(state));
    const state = worst ?? "idle";
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }

  #blocked({ origin, pathname }: URL): void {
    const concernsThis = origin === this.#url && (pathname === "/" || pathname.startsWith(this.#path));
    if (concernsThis) this.#list.forEach((connection) => connection.fail(connectionBlocked(this.#url)));
  }
}
