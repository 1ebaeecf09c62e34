import { connect, type AsfClient, type ConnectOptions } from "../client.js";

/** How a client identifies itself to the server. */
export type Token = ConnectOptions["token"];

/** A client that several players use. */
export interface SharedClient {
  readonly client: AsfClient;
  /** To be called once, when the player needs it no more. The last one closes the client. */
  release(): void;
}

interface Entry {
  client: AsfClient;
  users: number;
}

const entries = new Map<string, Map<Token, Entry>>();

/** Wraps a client that belongs to the page, which closes it. */
export function borrowClient(client: AsfClient): SharedClient {
  return { client, release: () => undefined };
}

/** Returns the page's client of a server. Players with the same server and the same token share it. */
export function shareClient(server: string, token: Token): SharedClient {
  let ofServer = entries.get(server);
  if (ofServer === undefined) entries.set(server, (ofServer = new Map<Token, Entry>()));
  let entry = ofServer.get(token);
  if (entry === undefined) {
    entry = { client: connect(server, token === undefined ? {} : { token }), users: 0 };
    ofServer.set(token, entry);
  }
  entry.users += 1;
  return { client: entry.client, release: () => release(server, token, entry) };
}

function release(server: string, token: Token, entry: Entry): void {
  entry.users -= 1;
  if (entry.users > 0) return;
  entry.client.close();
  const ofServer = entries.get(server);
  ofServer?.delete(token);
  if (ofServer?.size === 0) entries.delete(server);
}
