import { Manager, type Socket } from "socket.io-client";

import { Emitter } from "./emitter.js";

/** State of the shared connection; `idle` while nothing uses it. */
export type ConnectionState = "idle" | "connecting" | "connected" | "reconnecting";

export interface ConnectionEvents {
  state: ConnectionState;
}

const RECONNECTION = { reconnectionDelay: 250, reconnectionDelayMax: 2000 };

/** With several servers, the proxy's cookie routes long polling to the same one. */
const STICKY_SESSIONS = { withCredentials: true };

/** Socket.IO does not reconnect by itself after the server disconnected it. */
const AFTER_SERVER_DISCONNECT_MS = 500;

/** A namespace of a connection, used by one playback or one watch. */
export interface Channel {
  readonly socket: Socket;
  /** Releases the channel. */
  close(): void;
}

/**
 * The connections to one server.
 *
 * A connection carries one stream and the updates of one client, because messages do not name theirs. The first playback
 * and the first watch share a connection, so both reconnect together; further ones get their own.
 */
export class Connections extends Emitter<ConnectionEvents> {
  readonly #url: string;
  readonly #path: string;
  readonly #shared: Manager;
  readonly #inUse = new Set<string>();
  readonly #channels = new Set<Channel>();
  #state: ConnectionState = "idle";

  /** `path` is that of Socket.IO. */
  constructor(url: string, path: string) {
    super();
    this.#url = url;
    this.#path = path;
    this.#shared = this.#manager();
    this.#shared.on("open", () => this.#become("connected"));
    this.#shared.on("close", (reason: string) => {
      this.#become(this.#inUse.size === 0 || reason === "forced close" ? "idle" : "reconnecting");
    });
  }

  /** State of the shared connection. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects to a namespace. `attach` registers the handlers before anything can arrive. */
  open(namespace: string, attach: (socket: Socket) => void): Channel {
    const shares = !this.#inUse.has(namespace);
    if (shares) {
      this.#inUse.add(namespace);
      if (this.#state === "idle") this.#become("connecting");
    }
    const socket = (shares ? this.#shared : this.#manager()).socket(namespace);
    const channel: Channel = {
      socket,
      close: () => {
        if (!this.#channels.delete(channel)) return;
        clearTimeout(reconnect);
        // The next channel of this namespace gets the same socket.
        socket.off();
        socket.offAny();
        socket.disconnect();
        if (shares) this.#inUse.delete(namespace);
      },
    };
    let reconnect: ReturnType<typeof setTimeout> | undefined;
    this.#channels.add(channel);
    socket.on("disconnect", (reason) => {
      // Buffered messages belong to the lost connection.
      socket.sendBuffer = [];
      if (reason === "io server disconnect") reconnect = setTimeout(() => socket.connect(), AFTER_SERVER_DISCONNECT_MS);
    });
    attach(socket);
    socket.connect();
    return channel;
  }

  /** Closes all channels. */
  close(): void {
    for (const channel of [...this.#channels]) channel.close();
  }

  #manager(): Manager {
    return new Manager(this.#url, { ...RECONNECTION, ...STICKY_SESSIONS, path: this.#path, autoConnect: false });
  }

  #become(state: ConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
