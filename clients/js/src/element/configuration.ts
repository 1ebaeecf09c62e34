import type { AsfClient } from "../client.js";
import type { PlayOptions } from "../playback.js";
import type { Token } from "./shared.js";

/** Where the server serves this module. */
const SERVED_BELOW = /\/asf\/client\/[^/]*$/;

/** Outside browsers there are no elements: the module can be imported there, but no element made. */
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** What a page tells a player, by attributes and properties. */
export class ConfiguredElement extends Base {
  #client: AsfClient | null = null;
  #token: Token;

  /** URL of the server, absolute. */
  get server(): string {
    const given = this.getAttribute("server");
    return new URL(given === null || given === "" ? defaultServer() : given, document.baseURI).href;
  }

  set server(url: string) {
    this.setAttribute("server", url);
  }

  /** Id of the stream; empty for none. */
  get stream(): string {
    return this.getAttribute("stream") ?? "";
  }

  set stream(id: string) {
    this.setAttribute("stream", id);
  }

  /** Whether to wait for a stream that does not exist yet. */
  get wait(): boolean {
    return this.hasAttribute("wait");
  }

  set wait(wait: boolean) {
    this.toggleAttribute("wait", wait);
  }

  /** Whether to show the stream's transcript and chapters, which follow what is heard. */
  get cues(): boolean {
    return this.hasAttribute("cues");
  }

  set cues(cues: boolean) {
    this.toggleAttribute("cues", cues);
  }

  /**
   * The access token, where the server requires one, or a function that returns the current one. It takes precedence over
   * the attribute. A token that is replaced while a stream plays counts from the next play on; a function is asked again.
   */
  get token(): Token {
    return this.#token ?? this.getAttribute("token") ?? undefined;
  }

  set token(token: Token | null) {
    this.#token = token ?? undefined;
  }

  /**
   * A client to use instead of one that players share: it may share its connection with a watch. It must be of the same
   * `server`, and have the same `token`. It counts from the next play on.
   */
  get client(): AsfClient | null {
    return this.#client;
  }

  set client(client: AsfClient | null) {
    this.#client = client;
  }

  /** How to play. */
  protected get options(): PlayOptions {
    const offset = this.getAttribute("offset");
    return {
      wait: this.wait,
      cues: this.cues,
      textTracks: this.hasAttribute("text-tracks"),
      ...(offset === null ? {} : { offset: Number(offset) }),
    };
  }

  /** Takes the properties that were set before the element was defined. */
  protected upgrade(): void {
    const properties = this as unknown as Record<string, unknown>;
    for (const name of ["server", "stream", "wait", "cues", "token", "client"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = properties[name];
      delete properties[name];
      properties[name] = value;
    }
  }
}

/** Returns the URL of the server that this module comes from; the page's origin where it comes from elsewhere. */
function defaultServer(): string {
  const page = new URL("/", document.baseURI);
  // Some bundlers leave it empty.
  const script = new URL((import.meta.url as string | undefined) ?? "", page);
  return SERVED_BELOW.test(script.pathname) ? new URL(script.pathname.replace(SERVED_BELOW, "/"), script).href : page.href;
}
