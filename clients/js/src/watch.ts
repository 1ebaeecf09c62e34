import { Access, isRejectedToken, type Tokens } from "./access.js";
import type { Channel, ChannelUser, Connections } from "./connections.js";
import { Emitter } from "./emitter.js";
import { errorOf, NOTICES, type AsfError } from "./errors.js";
import { UpdatePositions } from "./positions.js";
import type { ErrorMessage, Position, Subscribed, UpdatePosition } from "./protocol.js";
import { Backoff, isTemporary } from "./retries.js";

/** Longest delay before subscribing again, in seconds: a watch does not give up while its page is open. */
const LONGEST_DELAY_SECONDS = 10;

/** How often the application's function may fail to give a token before that is an error: for about half a minute. */
const MAX_TOKEN_FAILURES = 6;

/** Longest silence in milliseconds while a subscription is not confirmed. */
const PATIENCE_MS = 5_000;

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
  /**
   * The server rejected the subscription, or the application gave no valid token: the watch is closed. After
   * `ASF_CLIENT_CONNECTION_FAILED` with `retryable` it keeps trying.
   */
  error: { error: AsfError };
}

/** Subscription to the UI updates of one client, across reconnections and temporary errors. */
export class Watch extends Emitter<WatchEvents> {
  readonly clientId: string;
  readonly #positions: UpdatePositions;
  readonly #access: Access;
  readonly #channel: Channel;
  readonly #backoff = new Backoff(LONGEST_DELAY_SECONDS);
  #tokenFailures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** A subscription was sent on this connection, and neither confirmed nor rejected. */
  #isPending = false;
  /** Whether the server has confirmed the subscription on this connection. */
  #confirmed = false;
  #closed = false;

  /** @internal */
  constructor(connections: Connections, namespace: string, clientId: string, options: WatchOptions, tokens: Tokens) {
    super();
    this.clientId = clientId;
    this.#positions = new UpdatePositions(options.history ?? false);
    this.#access = new Access(tokens);
    const user: ChannelUser = {
      connected: () => this.#subscribe(),
      disconnected: () => this.#disconnected(),
      received: (event, [data, position]) => this.#received(event, data, position as UpdatePosition | undefined),
      failed: (error) => (error.retryable ? this.emit("error", { error }) : this.#fail(error)),
      patience: () => (this.#isPending ? PATIENCE_MS : null),
      answered: () => {},
    };
    this.#channel = connections.open(namespace, user);
  }

  /** Position of the last update; null while it is unknown. */
  get position(): Position | null {
    return this.#positions.last;
  }

  /** Ends the subscription: no further event. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#access.cancel();
    this.#channel.close(["unsubscribe_from_ui_updates", { client_id: this.clientId }]);
  }

  #disconnected(): void {
    this.#confirmed = this.#isPending = false;
    this.#access.cancel();
    clearTimeout(this.#retry);
  }

  #received(event: string, data: unknown, position: UpdatePosition | undefined): void {
    if (event === "subscribed_ui_updates") this.#onSubscribed(data as Subscribed);
    else if (event === "ui_error") this.#onError(errorOf(data as ErrorMessage));
    // Before the confirmation, an update is one of an earlier subscription.
    else if (!this.#confirmed) return;
    // An update without a position arrived before the second subscription, which replays it.
    else if (position !== undefined && this.#positions.take(position)) {
      const { epoch, seq, timestamp } = position;
      this.emit("update", { event, data, epoch, seq, timestamp });
    }
  }

  #subscribe(): void {
    if (this.#closed || !this.#channel.connected) return; // `connected` subscribes.
    this.#access.request(
      (token) => {
        const request: Record<string, unknown> = { client_id: this.clientId };
        const { since } = this.#positions;
        if (since !== undefined) request["since"] = since;
        if (token !== undefined) request["token"] = token;
        this.#isPending = true;
        this.#channel.emit("subscribe_to_ui_updates", request);
      },
      (error) => this.#onError(error),
    );
  }

  #onError(error: AsfError): void {
    if (NOTICES.has(error.code)) return;
    this.#isPending = false;
    const delay = this.#delayAfter(error);
    if (delay === null) {
      this.#fail(error);
      return;
    }
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#subscribe(), delay * 1000);
  }

  #delayAfter(error: AsfError): number | null {
    if (isRejectedToken(error)) return this.#access.rejected();
    if (error.code === "ASF_UNAUTHORIZED") this.#tokenFailures += 1;
    if (this.#tokenFailures > MAX_TOKEN_FAILURES) return null;
    return isTemporary(error) ? Math.max(this.#backoff.next(), error.retryAfter ?? 0) : null;
  }

  #fail(error: AsfError): void {
    this.close();
    this.emit("error", { error });
  }

  #onSubscribed(message: Subscribed): void {
    if (message.client_id !== this.clientId) return;
    this.#confirmed = true;
    this.#isPending = false;
    this.#access.accepted();
    this.#backoff.reset();
    this.#tokenFailures = 0;
    const before = this.#positions.last;
    switch (this.#positions.confirmed(message)) {
      case "subscribe again":
        this.#subscribe();
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
