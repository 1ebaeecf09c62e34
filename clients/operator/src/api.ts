/** The internal API of this server. */

const TIMEOUT_MS = 10_000;
const STORED_TOKEN = "asf-operator-token";
/** What a token may have: an HTTP header can carry nothing else (RFC 9110, section 5.5), and no setting has more. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** The server rejected a request, or could not be reached (`code` is empty then). */
export class RequestError extends Error {
  readonly code: string;
  readonly status: number;
  /** The server's reason, which `message` ends with; empty if it gave none. */
  readonly details: string;

  constructor(message: string, code = "", status = 0, details = "") {
    super(details === "" ? message : `${message} ${details}`);
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** Sends requests with the token that the operator has typed. It is kept for this tab only, and sent to this server only. */
export class Api {
  readonly #base = new URL("internal/", document.baseURI);
  #token = sessionStorage.getItem(STORED_TOKEN) ?? "";

  get hasToken(): boolean {
    return this.#token !== "";
  }

  /** Returns whether the token can be one, and sends it from now on if so. */
  signIn(token: string): boolean {
    if (!TOKEN.test(token)) return false;
    this.#token = token;
    return true;
  }

  /** Keeps the token for a reload of the page, now that the server has accepted it. */
  keepToken(): void {
    if (this.#token !== "") sessionStorage.setItem(STORED_TOKEN, this.#token);
  }

  signOut(): void {
    this.#token = "";
    sessionStorage.removeItem(STORED_TOKEN);
  }

  get<Body>(route: string, query: Record<string, string> = {}, signal?: AbortSignal): Promise<Body> {
    return this.#request<Body>("GET", route, query, undefined, signal);
  }

  delete<Body>(route: string): Promise<Body> {
    return this.#request<Body>("DELETE", route);
  }

  post<Body>(route: string, body: unknown): Promise<Body> {
    return this.#request<Body>("POST", route, {}, body);
  }

  async #request<Body>(
    method: string,
    route: string,
    query: Record<string, string> = {},
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Body> {
    const url = new URL(route, this.#base);
    for (const [name, value] of Object.entries(query)) if (value !== "") url.searchParams.set(name, value);
    const headers = new Headers({ Accept: "application/json" });
    if (this.#token !== "") headers.set("Authorization", `Bearer ${this.#token}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
    } catch {
      if (signal?.aborted) throw new RequestError("The request was cancelled.", "cancelled");
      throw new RequestError("The server cannot be reached.");
    }
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer as Body;
    throw errorOf(response, answer);
  }
}

function errorOf(response: Response, answer: unknown): RequestError {
  const { error_code: code, message, details } = (answer ?? {}) as Record<string, unknown>;
  if (typeof code !== "string" || typeof message !== "string") {
    const text = `Something other than ASF answered with the status ${response.status}. Does a proxy deny /asf/internal/?`;
    return new RequestError(text, "", response.status);
  }
  return new RequestError(message, code, response.status, typeof details === "string" ? details : "");
}
