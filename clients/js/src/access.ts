/** The token that the server is shown, which the application may renew at any time. */
export class Access {
  readonly #token: () => string | undefined;
  #shown: string | undefined;

  /** @param token returns the token as it is now; undefined where there is none. */
  constructor(token: () => string | undefined) {
    this.#token = token;
  }

  /** Returns the token to show now. */
  show(): string | undefined {
    this.#shown = this.#token();
    return this.#shown;
  }

  /** Returns whether there is another token by now than the one that was refused. */
  get isRenewed(): boolean {
    const token = this.#token();
    return token !== undefined && token !== this.#shown;
  }
}
