import { addressOf, type Address } from "./address.js";
import { Connections, type ConnectionState } from "./connections.js";
import { Emitter } from "./emitter.js";
import { clientError } from "./errors.js";
import { Playback, type PlayOptions } from "./playback.js";
import { UI_UPDATES_NAMESPACE } from "./protocol.js";
import { Watch, type WatchOptions } from "./watch.js";

export interface ConnectOptions {
  /** Access token, where the server requires one. A function is called before each join and subscription. */
  token?: string | (() => string);
  /** The server's `ASF_UI_UPDATES_NAMESPACE` (`/ui_updates`). */
  uiUpdatesNamespace?: string;
}

export interface ClientEvents {
  /** The connection changed. */
  connection: ConnectionState;
}

/** Client of one ASF server. Connects when first needed, and reconnects automatically. */
export class AsfClient extends Emitter<ClientEvents> {
  readonly #address: Address;
  readonly #options: ConnectOptions;
  readonly #connections: Connections;
  readonly #playbacks = new Map<HTMLAudioElement, Playback>();

  /** @internal */
  constructor(url: string, options: ConnectOptions) {
    super();
    this.#address = addressOf(url, globalThis.location?.href);
    this.#options = options;
    this.#connections = new Connections(this.#address.origin, this.#address.socketPath);
    this.#connections.on("state", (state) => this.emit("connection", state));
  }

  /** State of the shared connection. */
  get connection(): ConnectionState {
    return this.#connections.state;
  }

  /**
   * Plays a stream in an audio element while it arrives; stops what the element played before. Call it in the handler of
   * a click or key press: browsers block autoplay otherwise.
   *
   * @throws AsfError `ASF_CLIENT_INVALID_ARGUMENT`
   */
  play(streamId: string, audio: HTMLAudioElement, options: PlayOptions = {}): Playback {
    if (streamId === "") throw clientError("ASF_CLIENT_INVALID_ARGUMENT", "The stream id is empty.");
    if (options.offset !== undefined && !(Number.isSafeInteger(options.offset) && options.offset >= 0)) {
      throw clientError("ASF_CLIENT_INVALID_ARGUMENT", "The offset must be a non-negative integer.");
    }
    this.#playbacks.get(audio)?.stop();
    const token = this.#token();
    const url = this.#address.streamUrl(streamId);
    if (token !== undefined) url.searchParams.set("token", token);
    const playback = new Playback(this.#connections, streamId, audio, url.href, options, () => this.#token());
    this.#playbacks.set(audio, playback);
    return playback;
  }

  /**
   * Subscribes to the UI updates of a client.
   *
   * @throws AsfError `ASF_CLIENT_INVALID_ARGUMENT`
   */
  watch(clientId: string, options: WatchOptions = {}): Watch {
    if (clientId.trim() === "") throw clientError("ASF_CLIENT_INVALID_ARGUMENT", "The client id is empty.");
    const namespace = this.#options.uiUpdatesNamespace ?? UI_UPDATES_NAMESPACE;
    return new Watch(this.#connections, namespace, clientId, options, () => this.#token());
  }

  /** Stops all playbacks, closes all watches and disconnects. */
  close(): void {
    for (const playback of this.#playbacks.values()) playback.stop();
    this.#connections.close();
  }

  #token(): string | undefined {
    const { token } = this.#options;
    return typeof token === "function" ? token() : token;
  }
}

/**
 * Returns a client for the server at `url`, for example `http://127.0.0.1:5006`, or `https://example.com/audio/` where a
 * proxy serves ASF below a path.
 */
export function connect(url: string, options: ConnectOptions = {}): AsfClient {
  return new AsfClient(url, options);
}
