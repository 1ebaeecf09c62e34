import type { Socket } from "socket.io-client";

import { Access } from "./access.js";
import type { Channel, Connections } from "./connections.js";
import { Emitter } from "./emitter.js";
import { clientError, errorOf, NOTICES, type AsfError } from "./errors.js";
import { UpdatePositions } from "./positions.js";
import type { ErrorMessage, PlacedAt, Position, Subscribed } from "./protocol.js";

/** What a server cannot do now, and soon may: it came too often, or what keeps the updates is lost for a while. */
const TEMPORARY: ReadonlySet<string> = new Set(["ASF_INTERNAL_ERROR", "ASF_RATE_LIMITED", "ASF_SOCKETIO_EMIT_FAILED"]);

/** After how many milliseconds such a subscription is asked for again: the connection may well stay. */
const AGAIN_MS = 1000;

export interface WatchOptions {
  /** Begin with the updates that the server keeps (false: with live ones). */
  history?: boolean;
}

/** A UI update. */
export interface Update {
  /** The name of its event. */
  event: string;
  /** Any JSON value. */
  data: unknown;
  /** What `seq` belongs to. */
  epoch: string;
  /** Its place among the updates of the client, counted from 1. */
  seq: number;
  /** When the server took it, in seconds since the Unix epoch. */
  timestamp: number;
}

export interface WatchEvents {
  /** An update: each once, in order. */
  update: Update;
  /** The server no longer has all that came while the connection was away. `since` is the place before the gap. */
  gap: { since: Position | null };
  /** Updates flow, at first and after each lost connection. */
  subscribed: Position | null;
  /** The server refuses the subscription. */
  error: { error: AsfError };
}

/** The UI updates of one client, over all connections. */
export class Watch extends Emitter<WatchEvents> {
  readonly clientId: string;
  readonly #positions: UpdatePositions;
  readonly #access: Access;
  readonly #channel: Channel;
  /** Whether the server has said, on this connection, that it sends this client's updates. */
  #confirmed = false;

  /** @internal */
  constructor(
    connections: Connections,
    namespace: string,
    clientId: string,
    options: WatchOptions,
    token: () => string | undefined,
  ) {
    super();
    this.clientId = clientId;
    this.#positions = new UpdatePositions(options.history ?? false);
    this.#access = new Access(token);
    this.#channel = connections.open(namespace, (socket) => this.#attach(socket));
  }

  /** The place of the last update; null before anything is known. */
  get position(): Position | null {
    return this.#positions.last;
  }

  /** Ends the watch. */
  close(): void {
    this.#channel.close();
  }

  #attach(socket: Socket): void {
    socket.on("connect", () => {
      this.#confirmed = false;
      this.#subscribe(socket);
    });
    socket.on("connect_error", (error) => {
      if (!socket.active) this.emit("error", { error: refused(error) });
    });
    socket.onAny((event: string, data: unknown, place?: PlacedAt) => {
      if (event === "subscribed_ui_updates") this.#onSubscribed(socket, data as Subscribed);
      else if (event === "ui_error") this.#onError(socket, errorOf(data as ErrorMessage));
      // On a connection that another watch has left, its last updates may still come.
      else if (!this.#confirmed) return;
      // An update without its place came before the second subscription, which brings it again.
      else if (place !== undefined && this.#positions.take(place)) this.emit("update", { event, data, ...placed(place) });
    });
  }

  #subscribe(socket: Socket): void {
    if (!socket.connected) return; // It subscribes when it is.
    const request: Record<string, unknown> = { client_id: this.clientId };
    const [since, token] = [this.#positions.since, this.#access.show()];
    if (since !== undefined) request["since"] = since;
    if (token !== undefined) request["token"] = token;
    socket.emit("subscribe_to_ui_updates", request);
  }

  #onError(socket: Socket, error: AsfError): void {
    if (NOTICES.has(error.code)) return;
    if (TEMPORARY.has(error.code)) setTimeout(() => this.#subscribe(socket), AGAIN_MS);
    else if (error.code === "ASF_UNAUTHORIZED" && this.#access.isRenewed) this.#subscribe(socket);
    else this.emit("error", { error });
  }

  #onSubscribed(socket: Socket, message: Subscribed): void {
    if (message.client_id !== this.clientId) return;
    this.#confirmed = true;
    const before = this.#positions.last;
    switch (this.#positions.confirmed(message)) {
      case "subscribe again":
        this.#subscribe(socket);
        return;
      case "gap":
        this.emit("gap", { since: before });
        break;
      case "go on":
        break;
    }
    this.emit("subscribed", this.#positions.last);
  }
}

function placed({ epoch, seq, timestamp }: PlacedAt): PlacedAt {
  return { epoch, seq, timestamp };
}

/** Returns the error of a namespace that the server does not let in. */
export function refused(cause: Error): AsfError {
  return clientError("ASF_CLIENT_REFUSED", `The server refused the connection: ${cause.message}`, { cause });
}
