/** A Socket.IO server over long polling, as far as the client needs one, in the test's own process. */
import { createServer } from "node:http";

const SEPARATOR = "\x1e";

/**
 * `handshakes` counts the connections that began, `events` has what was received: [namespace, event, payload]. While it
 * `refuses` [status, body], nobody connects. `silence()` lets no answer through on the connections there are.
 */
export class FakeServer {
  handshakes = 0;
  events = [];
  refuses = null;
  #sessions = new Map();
  #held = new Set();
  #server = createServer((request, response) => this.#handle(request, response));

  async start(port = 0) {
    await new Promise((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#server = createServer((request, response) => this.#handle(request, response));
    this.#sessions.clear();
  }

  get connections() {
    return this.#sessions.size;
  }

  silence() {
    for (const session of this.#sessions.values()) session.silent = true;
  }

  /** Sends an event to all connections. */
  send(namespace, event, payload) {
    for (const session of this.#sessions.values()) this.#push(session, `42${namespace},${JSON.stringify([event, payload])}`);
  }

  #handle(request, response) {
    const sid = new URL(request.url, this.url).searchParams.get("sid");
    if (sid === null) {
      this.#begin(response);
      return;
    }
    const session = this.#sessions.get(sid);
    if (session === undefined) {
      response.writeHead(400).end('"Invalid session"');
    } else if (session.silent) {
      this.#held.add(response);
    } else if (request.method === "GET") {
      session.poll = response;
      this.#flush(session);
    } else {
      let body = "";
      request.on("data", (piece) => (body += piece));
      request.on("end", () => {
        if (session.silent) return;
        for (const packet of body.split(SEPARATOR)) this.#receive(sid, session, packet);
        response.end("ok");
      });
    }
  }

  #begin(response) {
    if (this.refuses !== null) {
      const [status, body] = this.refuses;
      response.writeHead(status).end(body);
      return;
    }
    this.handshakes += 1;
    const sid = `s${this.handshakes}`;
    this.#sessions.set(sid, { queue: [], poll: null, silent: false });
    response.end(`0${JSON.stringify({ sid, upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1e6 })}`);
  }

  #receive(sid, session, packet) {
    const [, type, namespace, id, data] = /^4?(\d)(\/[^,]*)?,?(\d*)(.*)$/s.exec(packet);
    if (packet === "1") {
      session.poll?.end("6");
      this.#sessions.delete(sid);
    } else if (!packet.startsWith("4")) {
      return; // A pong.
    } else if (type === "0") {
      this.#push(session, `40${namespace},{"sid":"${sid}"}`);
    } else if (type === "2") {
      this.events.push([namespace, ...JSON.parse(data)]);
      if (id !== "") this.#push(session, `43${namespace},${id}[]`);
    }
  }

  #push(session, packet) {
    session.queue.push(packet);
    this.#flush(session);
  }

  #flush(session) {
    if (session.poll === null || session.queue.length === 0 || session.silent) return;
    session.poll.end(session.queue.join(SEPARATOR));
    session.queue = [];
    session.poll = null;
  }
}
