import { Manager } from "socket.io-client";

import { Namespace, type Channel, type ChannelUser, type NamespaceHost } from "./channel.js";
import { connectionFailed } from "./connection_errors.js";
import type { AsfError } from "./errors.js";
import { Liveness } from "./liveness.js";

/** State of a connection; `idle` while nothing uses it. */
export type ConnectionState = "idle" | "connecting" | "connected" | "reconnecting";

const RECONNECTION = { reconnectionDelay: 250, reconnectionDelayMax: 2000 };

/**
 * Where a WebSocket has worked before, it is opened without long polling in front: after a path went silent, the browser's
 * pool may still have connections of that path, which requests would wait for in vain.
 */
const WEBSOCKET_AGAIN = { rememberUpgrade: true };

/** With several servers, the proxy's cookie routes long polling to the same one. */
const STICKY_SESSIONS = { withCredentials: true };

/** Time for one attempt to connect, in milliseconds: at first, and at most. It doubles with each attempt that takes longer. */
const ATTEMPT_MS = 5_000;
const LONGEST_ATTEMPT_MS = 20_000;

/** The server answers a poll within 25 s, by a ping: a longer one is dead, and would keep the browser from others. */
const REQUEST_MS = 50_000;

/** Longest silence, in milliseconds, while a namespace waits to be connected. */
const CONNECTING_PATIENCE_MS = 3_000;

/** One Socket.IO connection, with the namespaces that it carries. It connects when one is used, and ends with the last. */
export class Connection implements NamespaceHost {
  readonly #url: string;
  readonly #manager: Manager;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #changed: () => void;
  readonly #liveness: Liveness;
  #isOpen = false;
  #wasOpen = false;
  /** Why the last attempt to connect failed; null if it did not. */
  #error: AsfError | null = null;

  /** @param path of Socket.IO. @param changed is called when the state, or who uses the connection, may have changed. */
  constructor(url: string, path: string, changed: () => void) {
    this.#url = url;
    this.#changed = changed;
    this.#liveness = new Liveness({
      patience: () => this.#patience(),
      probe: () => this.#values().some((namespace) => namespace.probe()),
      answered: () => this.#users().forEach((user) => user.answered()),
      lost: () => this.lost(),
    });
    const timeouts = { timeout: ATTEMPT_MS, requestTimeout: REQUEST_MS };
    const options = { ...RECONNECTION, ...STICKY_SESSIONS, ...WEBSOCKET_AGAIN, ...timeouts };
    this.#manager = new Manager(url, { ...options, path, autoConnect: false });
    this.#manager.on("open", () => this.#opened());
    this.#manager.on("close", () => this.#closed());
    this.#manager.on("error", (error: Error) => this.#failed(error));
  }

  get state(): ConnectionState {
    if (!this.isUsed) return "idle";
    if (this.#isOpen) return "connected";
    return this.#wasOpen ? "reconnecting" : "connecting";
  }

  /** Whether a namespace of it has a user. */
  get isUsed(): boolean {
    return this.#values().some((namespace) => namespace.user !== null);
  }

  /** Whether it carries nothing, not even for the next user. */
  get isClosed(): boolean {
    return !this.isUsed && !this.#isOpen;
  }

  /** Whether the namespace of that name has no user. */
  isFree(name: string): boolean {
    return (this.#namespaces.get(name)?.user ?? null) === null;
  }

  /** Hands a namespace, which must be free, to a user, and connects it. */
  open(name: string, user: ChannelUser): Channel {
    let namespace = this.#namespaces.get(name);
    if (namespace === undefined) {
      namespace = new Namespace(this.#manager.socket(name), this);
      this.#namespaces.set(name, namespace);
    }
    const channel = namespace.open(user);
    this.changed();
    return channel;
  }

  /** The path to the server may have changed: finds out whether the connection works, and replaces it if not. */
  check(): void {
    if (!this.isUsed) this.close();
    else if (this.#isOpen) this.#liveness.check();
    else this.lost();
  }

  /** Disconnects until {@link check}. The users keep it, as if it was lost. */
  suspend(): void {
    if (this.isUsed) this.#disconnect();
    else this.close();
  }

  /** Tells the users that are not connected that they cannot be. */
  fail(error: AsfError): void {
    for (const namespace of this.#values()) namespace.fail(error);
  }

  /** Disconnects at once; users are not told. */
  close(): void {
    for (const namespace of this.#values()) namespace.close();
  }

  /** @internal */
  changed(): void {
    if (!this.isUsed) this.#liveness.stop();
    else if (this.#isOpen) this.#liveness.start();
    this.#changed();
  }

  /** @internal */
  unreachable(): AsfError {
    return this.#error ?? connectionFailed(this.#url);
  }

  /** Replaces the connection, without the delay after an end. @internal */
  lost(): void {
    this.#disconnect();
    if (this.isUsed) this.#manager.open();
  }

  #disconnect(): void {
    this.#manager["disconnect"](); // The library's minified build has no `_close`.
  }

  #values(): Namespace[] {
    return [...this.#namespaces.values()];
  }

  #users(): ChannelUser[] {
    return this.#values().flatMap(({ user }) => user ?? []);
  }

  #patience(): number | null {
    const patiences = this.#values().flatMap(({ user, connected }) => {
      if (user === null) return [];
      return (connected ? user.patience() : CONNECTING_PATIENCE_MS) ?? [];
    });
    return patiences.length === 0 ? null : Math.min(...patiences);
  }

  #opened(): void {
    this.#isOpen = this.#wasOpen = true;
    this.#error = null;
    this.#manager.timeout(ATTEMPT_MS);
    this.#manager.opts.rememberUpgrade = true;
    const { engine } = this.#manager;
    engine.on("packet", () => engine === this.#manager.engine && this.#liveness.heard());
    this.changed();
  }

  #closed(): void {
    this.#isOpen = false;
    this.#liveness.stop();
    if (!this.isUsed) this.#wasOpen = false;
    this.#changed();
  }

  #failed(error: Error): void {
    this.#error = connectionFailed(this.#url, error); // Now: its response is dropped in a moment.
    if (error.message !== "timeout") return;
    const { opts } = this.#manager;
    opts.rememberUpgrade = !opts.rememberUpgrade; // The path may let through only one of both.
    this.#manager.timeout(Math.min(2 * (this.#manager.timeout() as number), LONGEST_ATTEMPT_MS));
  }
}
