/** What a page tells that concerns its connections. */
export interface PageHost {
  /** The network, or the page's life, changed: connections may be dead without having ended. */
  changed(): void;
  /** The page stops to run, for now or for good: it will not answer the server. */
  stopping(): void;
  /** The page's Content Security Policy blocked a request to that URL. */
  blocked(url: URL): void;
}

/** A part of the Network Information API, which not all browsers have. */
interface NetworkInformation extends EventTarget {
  readonly type?: string;
  readonly effectiveType?: string;
}

/** Listens to the page while there are connections. Outside a page it does nothing. */
export class PageEvents {
  readonly #host: PageHost;
  #listening: AbortController | null = null;

  constructor(host: PageHost) {
    this.#host = host;
  }

  /** Starts to listen, unless it does. */
  start(): void {
    const { window, document, navigator } = globalThis;
    if (this.#listening !== null || window === undefined || document === undefined) return;
    const listening = new AbortController();
    const { signal } = listening;
    this.#listening = listening;
    const changed = (): void => this.#host.changed();
    window.addEventListener("online", changed, { signal });
    // From the back/forward cache: its connections were cut, or will not get an answer.
    window.addEventListener("pageshow", (event) => event.persisted && changed(), { signal });
    document.addEventListener("resume", changed, { signal });
    window.addEventListener("pagehide", () => this.#host.stopping(), { signal });
    document.addEventListener("freeze", () => this.#host.stopping(), { signal });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && changed(), { signal });
    this.#watchNetwork((navigator as { connection?: NetworkInformation }).connection, signal);
    document.addEventListener("securitypolicyviolation", (event) => this.#violated(event), { signal });
  }

  /** Stops to listen. */
  stop(): void {
    this.#listening?.abort();
    this.#listening = null;
  }

  #watchNetwork(network: NetworkInformation | undefined, signal: AbortSignal): void {
    const kind = (): string => `${network?.type} ${network?.effectiveType}`;
    let last = kind();
    const changed = (): void => {
      if (kind() !== last) this.#host.changed(); // Estimates of the rate change all the time.
      last = kind();
    };
    network?.addEventListener("change", changed, { signal });
  }

  #violated(event: SecurityPolicyViolationEvent): void {
    if (event.disposition !== "enforce" || event.effectiveDirective !== "connect-src") return;
    try {
      this.#host.blocked(new URL(event.blockedURI));
    } catch {
      // It is not a URL, but a word such as "inline".
    }
  }
}
