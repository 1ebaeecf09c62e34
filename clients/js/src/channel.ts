import type { Socket } from "socket.io-client";

import { refused } from "./connection_errors.js";
import type { AsfError } from "./errors.js";
import { PROBE } from "./protocol.js";

/** Time for a user's first connection, in milliseconds. Later ones may take longer: a server may be restarting. */
const CONNECT_TIMEOUT_MS = 30_000;

/** Time for which a released namespace stays connected for the next user, in milliseconds. */
const IDLE_MS = 10_000;

/** Time for the server to acknowledge that a user has left, in milliseconds. */
const FAREWELL_MS = 5_000;

/** Socket.IO does not reconnect by itself after the server disconnected it. */
const AFTER_SERVER_DISCONNECT_MS = 500;

/** The playback or the watch that uses a channel. */
export interface ChannelUser {
  /** The namespace is connected, for the first time or again. */
  connected(): void;
  /** The connection was lost. */
  disconnected(): void;
  /** The server sent an event. */
  received(event: string, args: unknown[]): void;
  /** There was no connection in time (`retryable`: attempts continue), or there will be none. */
  failed(error: AsfError): void;
  /** Longest silence in milliseconds while something is due from the server; null while nothing is. */
  patience(): number | null;
  /** The server answered a probe, and has sent nothing else. */
  answered(): void;
}

/** A namespace of a connection, in the hands of one user. */
export interface Channel {
  /** Whether events can be sent. */
  readonly connected: boolean;
  /** Sends an event; while the channel is not connected, nothing. */
  emit(event: string, payload: unknown): void;
  /** Releases the channel. Sends `farewell` first, an event and its payload. */
  close(farewell?: [event: string, payload: unknown]): void;
}

/** What a namespace needs of its connection. */
export interface NamespaceHost {
  /** A user came or left. */
  changed(): void;
  /** Returns the error of a server that could not be reached. */
  unreachable(): AsfError;
  /** The server does not answer. */
  lost(): void;
}

/** The use of a namespace by one user, until it is released. */
interface Lease {
  readonly user: ChannelUser;
  /** Whether the user was notified that the namespace is connected. */
  isReady: boolean;
}

/**
 * One namespace of a connection, for one user at a time. It stays connected for a while after its user has left, and
 * serves the next one; what still arrives for the earlier user is dropped.
 */
export class Namespace {
  readonly #socket: Socket;
  readonly #host: NamespaceHost;
  #lease: Lease | null = null;
  /** Farewells of earlier users that are not acknowledged: what arrives before is not for the current one. */
  #farewells = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reconnect: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Socket, host: NamespaceHost) {
    this.#socket = socket;
    this.#host = host;
    socket.onAny((event: string, ...args: unknown[]) => {
      if (this.#farewells === 0) this.#lease?.user.received(event, args);
    });
    socket.on("connect", () => this.#connected());
    socket.on("disconnect", (reason) => this.#disconnected(reason));
    socket.on("connect_error", (error) => {
      if (!socket.active) this.fail(refused(error));
    });
  }

  /** The current user; null while there is none. */
  get user(): ChannelUser | null {
    return this.#lease?.user ?? null;
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  /** Hands the namespace, which has no user, to a user, and connects it. */
  open(user: ChannelUser): Channel {
    const [socket, lease] = [this.#socket, { user, isReady: false }];
    this.#lease = lease;
    clearTimeout(this.#timer);
    if (socket.connected) {
      queueMicrotask(() => this.#ready(lease)); // The user has no channel yet.
    } else {
      this.#timer = setTimeout(() => this.fail(this.#host.unreachable()), CONNECT_TIMEOUT_MS);
      socket.connect();
    }
    return {
      get connected() {
        return lease.isReady;
      },
      emit: (event, payload) => lease.isReady && socket.emit(event, payload),
      close: (farewell) => this.#lease === lease && this.#release(farewell),
    };
  }

  /** Tells the user, if it is not connected, that it cannot be. */
  fail(error: AsfError): void {
    clearTimeout(this.#timer);
    if (this.#lease?.isReady === false) this.#lease.user.failed(error);
  }

  /** Asks the server for an answer. Returns whether it could be asked. */
  probe(): boolean {
    if (this.#socket.connected) this.#socket.emit(PROBE, {}, () => {});
    return this.#socket.connected;
  }

  /** Disconnects at once; a user is not told. */
  close(): void {
    if (this.#lease !== null) this.#lease.isReady = false;
    this.#lease = null;
    clearTimeout(this.#timer);
    clearTimeout(this.#reconnect);
    this.#socket.disconnect();
    this.#host.changed();
  }

  #ready(lease: Lease): void {
    if (this.#lease !== lease || lease.isReady || !this.#socket.connected) return;
    lease.isReady = true;
    lease.user.connected();
  }

  #connected(): void {
    if (this.#lease === null) return;
    clearTimeout(this.#timer);
    this.#ready(this.#lease);
  }

  #disconnected(reason: string): void {
    this.#socket.sendBuffer = []; // Buffered messages belong to the lost connection.
    const lease = this.#lease;
    if (lease === null) {
      this.close();
      return;
    }
    if (reason === "io server disconnect") {
      this.#reconnect = setTimeout(() => this.#socket.connect(), AFTER_SERVER_DISCONNECT_MS);
    }
    if (!lease.isReady) return;
    lease.isReady = false;
    lease.user.disconnected();
  }

  #release([event, payload]: [event: string, payload: unknown] = [PROBE, {}]): void {
    if (this.#lease !== null) this.#lease.isReady = false;
    const socket = this.#socket;
    if (!socket.connected) {
      this.close();
      return;
    }
    this.#lease = null;
    this.#farewells += 1;
    socket.timeout(FAREWELL_MS).emit(event, payload, (error: Error | null) => {
      this.#farewells -= 1;
      if (error !== null && socket.connected) this.#host.lost();
    });
    this.#timer = setTimeout(() => this.close(), IDLE_MS);
    this.#host.changed();
  }
}
