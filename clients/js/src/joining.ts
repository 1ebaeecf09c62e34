import { Access, type Tokens } from "./access.js";
import type { Channel, ChannelUser, Connections } from "./connections.js";
import type { AsfError } from "./errors.js";
import { AUDIO_NAMESPACE, type JoinStream } from "./protocol.js";
import { Retries } from "./retries.js";

/** What a {@link Joining} needs of its session. */
export interface JoiningHost extends ChannelUser {
  /** Returns the payload of `join_stream`. */
  request(token: string | undefined): JoinStream;
  /** Whether the stream has started. */
  hasStarted(): boolean;
  /** An error ended the session, which joins again later. */
  retrying(error: AsfError): void;
}

/**
 * Joins a stream: opens a channel, asks for a token, sends `join_stream`, and does so again after temporary errors.
 * `joined` says whether a join was sent and has neither ended nor failed.
 */
export class Joining {
  joined = false;
  readonly access: Access;
  readonly #connections: Connections;
  readonly #host: JoiningHost;
  readonly #user: ChannelUser;
  readonly #retries: Retries;
  #channel: Channel | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #wasConnected = false;

  /** @param wait whether to wait for a stream that does not exist yet. */
  constructor(connections: Connections, tokens: Tokens, wait: boolean, host: JoiningHost) {
    this.#connections = connections;
    this.#host = host;
    this.access = new Access(tokens);
    this.#retries = new Retries(this.access, wait);
    this.#user = {
      ...host,
      connected: () => {
        this.#wasConnected = true;
        this.join();
        host.connected();
      },
      disconnected: () => {
        this.joined = false;
        this.access.cancel();
        this.#retries.renew(); // The next server may do better.
        host.disconnected();
      },
      failed: (error) => {
        // A server that was there before may be restarting.
        if (!error.retryable || !this.#wasConnected) host.failed(error);
      },
    };
  }

  /** Whether there is a channel, connected or not. */
  get isOpen(): boolean {
    return this.#channel !== null;
  }

  /** Sends an event, if the channel is connected. */
  emit(event: string, payload: unknown): void {
    this.#channel?.emit(event, payload);
  }

  /** Joins, now or as soon as there is a connection and a token. Joining again replaces the session. */
  join(): void {
    clearTimeout(this.#retry);
    if (!this.#open().connected) return; // `connected` joins.
    this.access.request(
      (token) => {
        this.emit("join_stream", this.#host.request(token));
        this.joined = true;
      },
      (error) => this.interrupted(error),
    );
  }

  /** Records progress: errors that follow are the first ones again. */
  progressed(): void {
    this.#retries.renew();
  }

  /** Handles an error of a join, or one that has ended the session: joins again later, or fails. */
  interrupted(error: AsfError): void {
    this.joined = false;
    const delay = this.#retries.next(error, this.#host.hasStarted());
    if (delay === null) {
      this.#host.failed(error);
      return;
    }
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.join(), delay * 1000);
    this.#host.retrying(error);
  }

  /** Gives the channel back, and sends `farewell` first if the stream is joined. `join` opens another one. */
  rest(farewell: [event: string, payload: unknown]): void {
    clearTimeout(this.#retry);
    this.access.cancel();
    const [channel, wasJoined] = [this.#channel, this.joined];
    this.#channel = null;
    this.joined = false;
    channel?.close(wasJoined ? farewell : undefined);
  }

  #open(): Channel {
    return (this.#channel ??= this.#connections.open(AUDIO_NAMESPACE, this.#user));
  }
}
