import { joined } from "./bytes.js";
import { bytesForRate, needsHeader, routeOf, type Route } from "./formats.js";
import type { StartOfStream } from "./protocol.js";
import { detach } from "./sinks/element.js";
import { MseSink } from "./sinks/mse.js";
import { PcmSink } from "./sinks/pcm.js";
import type { Sink, SinkHost } from "./sinks/sink.js";
import type { StreamUrl } from "./sinks/stored.js";
import { UrlSink } from "./sinks/url.js";
import { hasExactDuration } from "./sinks/url_rules.js";
import { Tap } from "./tap.js";
import { transformOf } from "./wrapping/feed.js";

type Connect = (node: AudioNode) => void;

/**
 * The beginning of a stream, until it is known how to play it: its format, and its header where playing starts elsewhere.
 * Then it makes the sink.
 */
export class Opening {
  readonly #audio: HTMLAudioElement;
  readonly #url: StreamUrl;
  readonly #connectPcm: Connect | undefined;
  readonly #tap: Tap;
  #contentType: string | null = null;
  /** What was received. */
  #head: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset to seek to once the beginning was read; null where playing starts at the first byte received. */
  #afterHeader: number | null = null;

  /** Gives the element a source, so this must run in the handler of the user's click. */
  constructor(audio: HTMLAudioElement, url: StreamUrl, connectPcm: Connect | undefined) {
    this.#audio = audio;
    this.#url = url;
    this.#connectPcm = connectPcm;
    this.#tap = new Tap(audio, url);
  }

  /** Whether the bytes that arrive are only the header, which the stream's consumer did not ask for. */
  get isReadingHeader(): boolean {
    return this.#afterHeader !== null;
  }

  /** Whether the user has paused the element. */
  get isPaused(): boolean {
    return this.#tap.isPaused;
  }

  /** Another click, before there was a sink. */
  repeat(): void {
    this.#tap.repeat();
  }

  /** Takes the start of the stream. Returns how to play it; `"header"` if its first bytes are needed; null if more are. */
  start({ content_type: contentType, offset }: StartOfStream): Route | "header" | null {
    this.#contentType = contentType;
    if (this.#head.length > 0) return null;
    if (this.#tap.isLeftTo(contentType)) return { kind: "url" };
    const isEntered = needsHeader(contentType) ? offset > 0 : bytesForRate(contentType, offset) > 0;
    if (!isEntered) return this.#route();
    this.#afterHeader = offset;
    return "header";
  }

  /** Takes the bytes that follow the last ones. Returns how to play the stream; null if more are needed. */
  append(bytes: Uint8Array<ArrayBuffer>): Route | null {
    this.#head = joined(this.#head, bytes);
    return this.#route();
  }

  /**
   * Makes a sink for that route. Raises what the browser does.
   *
   * @param total size of the complete audio; null while it is unknown.
   * @param release is called where the element fetches the audio itself.
   */
  sinkFor(route: Route, total: number | null, host: SinkHost, release: () => void): Sink {
    const { source, isLoaded } = this.#tap;
    if (route.kind === "mse" && source !== null) {
      this.#tap.dropContext();
      const header = this.#afterHeader === null ? null : this.#head.slice(0, route.headerBytes || this.#head.length);
      return new MseSink(this.#audio, source, route.mimeType, transformOf(route.feed), header, host);
    }
    source?.close();
    if (route.kind === "pcm") {
      detach(this.#audio);
      const header = this.#head.slice(0, route.headerBytes);
      return new PcmSink(this.#audio, header, host, this.#connectPcm, this.#tap.takeContext());
    }
    this.#tap.dropContext();
    release();
    const start = { total, isExact: hasExactDuration(this.#contentType ?? ""), isLoaded, follow: release };
    return new UrlSink(this.#audio, this.#url, start, host);
  }

  /** Hands over what was received, once, and the offset to seek to; null for none. */
  take(): { head: Uint8Array<ArrayBuffer>; afterHeader: number | null } {
    const taken = { head: this.#head, afterHeader: this.#afterHeader };
    this.#head = new Uint8Array(0);
    this.#afterHeader = null;
    return taken;
  }

  /** Gives back what no sink has. */
  close(): void {
    this.#tap.close();
  }

  #route(): Route | null {
    if (this.#contentType === null) return null;
    const least = this.#afterHeader === null ? 0 : bytesForRate(this.#contentType, this.#afterHeader);
    if (this.#head.length < least) return null;
    const route = routeOf(this.#contentType, this.#head, (mimeType) => this.#tap.isTypeSupported(mimeType));
    return route === "more" ? null : route;
  }
}
