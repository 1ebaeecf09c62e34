import { Tokens, type TokenOption } from "./access.js";
import { addressOf, type Address } from "./address.js";
import { Connections, type ConnectionState } from "./connections.js";
import { Emitter } from "./emitter.js";
import { clientError } from "./errors.js";
import { Playback, type PlayOptions } from "./playback.js";
import { UI_UPDATES_NAMESPACE } from "./protocol.js";
import { Watch, type WatchOptions } from "./watch.js";

export interface ConnectOptions {
  /** Access token, where the server requires one, or a function that returns the current one, also as a promise. */
  token?: TokenOption;
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
  readonly #tokens: Tokens;
  readonly #connections: Connections;
  #started: WeakRef<Playback | Watch>[] = [];

  /** @internal */
  constructor(url: string, options: ConnectOptions) {
    super();
    this.#address = addressOf(url, globalThis.location?.href);
    this.#options = options;
    this.#tokens = new Tokens(options.token);
    this.#connections = new Connections(this.#address.origin, this.#address.socketPath);
    this.#connections.on("state", (state) => this.emit("connection", state));
  }

  /** The worst state of the connections in use: usually there is one. `idle` while nothing uses any. */
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
    // Of a page whose script runs before its body is there.
    if (!(audio as unknown)) throw clientError("ASF_CLIENT_INVALID_ARGUMENT", "There is no audio element.");
    if (options.offset !== undefined && !(Number.isSafeInteger(options.offset) && options.offset >= 0)) {
      throw clientError("ASF_CLIENT_INVALID_ARGUMENT", "The offset must be a non-negative integer.");
    }
    const urls = {
      audio: () => this.#withToken(this.#address.streamUrl(streamId)),
      cues: () => this.#withToken(this.#address.cuesUrl(streamId)),
    };
    const playback = new Playback(this.#connections, streamId, audio, urls, options, this.#tokens);
    return this.#remember(playback);
  }

  /**
   * Subscribes to the UI updates of a client.
   *
   * @throws AsfError `ASF_CLIENT_INVALID_ARGUMENT`
   */
  watch(clientId: string, options: WatchOptions = {}): Watch {
    if (clientId.trim() === "") throw clientError("ASF_CLIENT_INVALID_ARGUMENT", "The client id is empty.");
    const namespace = this.#options.uiUpdatesNamespace ?? UI_UPDATES_NAMESPACE;
    return this.#remember(new Watch(this.#connections, namespace, clientId, options, this.#tokens));
  }

  /** Stops all playbacks, closes all watches and disconnects. */
  close(): void {
    for (const reference of this.#started) {
      const started = reference.deref();
      if (started instanceof Playback) started.stop();
      else started?.close();
    }
    this.#started = [];
    this.#connections.close();
  }

  #remember<Started extends Playback | Watch>(started: Started): Started {
    this.#started = this.#started.filter((reference) => reference.deref() !== undefined);
    this.#started.push(new WeakRef<Playback | Watch>(started));
    return started;
  }

  /** Returns the URL with the current token; a promise if the application's function returns one. */
  #withToken(url: URL): string | Promise<string> {
    const withToken = (token: string | undefined): string => {
      if (token !== undefined) url.searchParams.set("token", token);
      return url.href;
    };
    const token = this.#tokens.ask();
    return token instanceof Promise ? token.then(withToken) : withToken(token);
  }
}

/**
 * Returns a client for the server at `url`, for example `http://127.0.0.1:5006`, or `https://example.com/audio/` where a
 * proxy serves ASF below a path.
 */
export function connect(url: string, options: ConnectOptions = {}): AsfClient {
  return new AsfClient(url, options);
}
