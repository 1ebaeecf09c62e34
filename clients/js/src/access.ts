/** The access token, which the application may renew at any time. */
export class Access {
  readonly #token: () => string | undefined;
  #sent: string | undefined;

  /** @param token returns the current token; undefined where there is none. */
  constructor(token: () => string | undefined) {
    this.#token = token;
  }

  /** Returns the token to send now. */
  current(): string | undefined {
    this.#sent = this.#token();
    return this.#sent;
  }

  /** Whether the application has a newer token than the one that was rejected. */
  get isRenewed(): boolean {
    const token = this.#token();
    return token !== undefined && token !== this.#sent;
  }
}
