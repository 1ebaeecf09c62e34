import { Manager, type Socket } from "socket.io-client";

import { Emitter } from "./emitter.js";

/** How the shared connection is: `idle` when nothing needs it. */
export type ConnectionState = "idle" | "connecting" | "connected" | "reconnecting";

export interface ConnectionEvents {
  state: ConnectionState;
}

const RECONNECTION = { reconnectionDelay: 250, reconnectionDelayMax: 2000 };

/** Where there are several servers, long polling finds its own by a cookie of the proxy. */
const STICKINESS = { withCredentials: true };

/** What the server ended, rather than the network, Socket.IO does not make again by itself. */
const AFTER_SERVER_DISCONNECT_MS = 500;

/** A namespace of a connection, for one playback or one watch alone. */
export interface Channel {
  readonly socket: Socket;
  /** Gives the channel back. */
  close(): void;
}

/**
 * The connections to one server.
 *
 * A connection carries one stream and one set of updates, as their messages do not say whose they are. The first of
 * each share a connection, which so comes back for both at once; others get connections of their own.
 */
export class Connections extends Emitter<ConnectionEvents> {
  readonly #url: string;
  readonly #shared: Manager;
  readonly #taken = new Set<string>();
  readonly #channels = new Set<Channel>();
  #state: ConnectionState = "idle";

  constructor(url: string) {
    super();
    this.#url = url;
    this.#shared = this.#manager();
    this.#shared.on("open", () => this.#become("connected"));
    this.#shared.on("close", (reason: string) => {
      this.#become(this.#taken.size === 0 || reason === "forced close" ? "idle" : "reconnecting");
    });
  }

  /** How the shared connection is. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects to a namespace. `attach` sets up the handlers before anything can arrive. */
  open(namespace: string, attach: (socket: Socket) => void): Channel {
    const shares = !this.#taken.has(namespace);
    if (shares) {
      this.#taken.add(namespace);
      if (this.#state === "idle") this.#become("connecting");
    }
    const socket = (shares ? this.#shared : this.#manager()).socket(namespace);
    const channel: Channel = {
      socket,
      close: () => {
        if (!this.#channels.delete(channel)) return;
        clearTimeout(again);
        // The next channel of the namespace gets the same socket.
        socket.off();
        socket.offAny();
        socket.disconnect();
        if (shares) this.#taken.delete(namespace);
      },
    };
    let again: ReturnType<typeof setTimeout> | undefined;
    this.#channels.add(channel);
    socket.on("disconnect", (reason) => {
      // What waited to be sent belongs to the connection that is gone.
      socket.sendBuffer = [];
      if (reason === "io server disconnect") again = setTimeout(() => socket.connect(), AFTER_SERVER_DISCONNECT_MS);
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
    return new Manager(this.#url, { ...RECONNECTION, ...STICKINESS, autoConnect: false });
  }

  #become(state: ConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
