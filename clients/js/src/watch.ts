import type { Socket } from "socket.io-client";

import { Access } from "./access.js";
import type { Channel, Connections } from "./connections.js";
import { Emitter } from "./emitter.js";
import { errorOf, NOTICES, refused, type AsfError } from "./errors.js";
import { UpdatePositions } from "./positions.js";
import type { ErrorMessage, Position, Subscribed, UpdatePosition } from "./protocol.js";

/** Codes of temporary failures of a subscription: it was rate limited, or the update log is not reachable. */
const TEMPORARY: ReadonlySet<string> = new Set(["ASF_INTERNAL_ERROR", "ASF_RATE_LIMITED", "ASF_SOCKETIO_EMIT_FAILED"]);

/** Delay before such a subscription is retried on the same connection, in milliseconds. */
const RETRY_MS = 1000;

export interface WatchOptions {
  /** Start with the updates in the server's history (false: live updates only). */
  history?: boolean;
}

/** A UI update. */
export interface Update {
  /** The event name. */
  event: string;
  /** Any JSON value. */
  data: unknown;
  /** The epoch that `seq` belongs to. */
  epoch: string;
  /** Sequence number among the client's updates, from 1. */
  seq: number;
  /** When the server accepted it, in seconds since the Unix epoch. */
  timestamp: number;
}

export interface WatchEvents {
  /** An update; each once, in order. */
  update: Update;
  /** Updates were missed: the server's history does not reach back to `since`, the position before the gap. */
  gap: { since: Position | null };
  /** Subscribed, at first and after each reconnection. */
  subscribed: Position | null;
  /** The server rejected the subscription. */
  error: { error: AsfError };
}

/** Subscription to the UI updates of one client, across reconnections. */
export class Watch extends Emitter<WatchEvents> {
  readonly clientId: string;
  readonly #positions: UpdatePositions;
  readonly #access: Access;
  readonly #channel: Channel;
  /** Whether the server has confirmed the subscription on this connection. */
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

  /** Position of the last update; null while it is unknown. */
  get position(): Position | null {
    return this.#positions.last;
  }

  /** Ends the subscription. */
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
    socket.onAny((event: string, data: unknown, position?: UpdatePosition) => {
      if (event === "subscribed_ui_updates") this.#onSubscribed(socket, data as Subscribed);
      else if (event === "ui_error") this.#onError(socket, errorOf(data as ErrorMessage));
      // On a connection that another watch has left, that watch's last updates may still arrive.
      else if (!this.#confirmed) return;
      // An update without a position arrived before the second subscription, which replays it.
      else if (position !== undefined && this.#positions.take(position)) {
        const { epoch, seq, timestamp } = position;
        this.emit("update", { event, data, epoch, seq, timestamp });
      }
    });
  }

  #subscribe(socket: Socket): void {
    if (!socket.connected) return; // `connect` subscribes.
    const request: Record<string, unknown> = { client_id: this.clientId };
    const [since, token] = [this.#positions.since, this.#access.current()];
    if (since !== undefined) request["since"] = since;
    if (token !== undefined) request["token"] = token;
    socket.emit("subscribe_to_ui_updates", request);
  }

  #onError(socket: Socket, error: AsfError): void {
    if (NOTICES.has(error.code)) return;
    if (TEMPORARY.has(error.code)) setTimeout(() => this.#subscribe(socket), RETRY_MS);
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
      case "continue":
        break;
    }
    this.emit("subscribed", this.#positions.last);
  }
}
