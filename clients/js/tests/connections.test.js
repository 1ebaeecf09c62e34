import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Connections } from "../dist/connections.js";
import { FakeServer } from "./fake_server.js";

let server;
let connections;

beforeEach(async () => {
  server = await new FakeServer().start();
  connections = new Connections(server.url, "/socket.io");
});

afterEach(async () => {
  connections.close();
  await server.stop();
});

/** Returns when the condition holds. */
async function until(condition) {
  const end = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `still not: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A user of a namespace; `patience` in milliseconds. */
function use(namespace, patience = null) {
  const user = { log: [], errors: [] };
  user.channel = connections.open(namespace, {
    connected: () => user.log.push("connected"),
    disconnected: () => user.log.push("disconnected"),
    received: (event, [payload]) => user.log.push([event, payload]),
    failed: (error) => user.errors.push(error),
    patience: () => patience,
    answered: () => user.log.push("answered"),
  });
  return user;
}

test("sixty sessions one after the other, and a watch beside them, use one connection", async () => {
  const watch = use("/updates");
  await until(() => watch.channel.connected);
  for (let number = 0; number < 60; number += 1) {
    const session = use("/audio");
    await until(() => session.channel.connected);
    session.channel.emit("join", number);
    session.channel.close(["leave", number]);
  }
  await until(() => server.events.length === 120);
  const expected = Array.from({ length: 60 }, (_, number) => [["/audio", "join", number], ["/audio", "leave", number]]);
  assert.deepEqual(server.events, expected.flat());
  assert.equal(server.handshakes, 1);
  assert.deepEqual(watch.log, ["connected"]);
  assert.equal(connections.state, "connected");
  watch.channel.close();
  assert.equal(connections.state, "idle");
});

test("sessions at the same time have connections of their own, which serve later ones", async () => {
  const both = [use("/audio"), use("/audio")];
  await until(() => both.every(({ channel }) => channel.connected));
  assert.equal(server.handshakes, 2);
  for (const { channel } of both) channel.close();
  const later = [use("/audio"), use("/audio")];
  await until(() => later.every(({ channel }) => channel.connected));
  assert.equal(server.handshakes, 2);
});

test("closed, nothing is left", async () => {
  const [one, two] = [use("/audio"), use("/audio")];
  await until(() => one.channel.connected && two.channel.connected);
  connections.close();
  await until(() => server.connections === 0);
  assert.equal(connections.state, "idle");
  one.channel.emit("late", {});
  assert.deepEqual(server.events, []);
});

test("a silent path is replaced where something is due", async () => {
  const user = use("/audio", 1000);
  await until(() => user.channel.connected);
  server.silence();
  await until(() => server.handshakes === 2 && user.channel.connected);
  assert.deepEqual(user.log, ["connected", "disconnected", "connected"]);
  assert.equal(connections.state, "connected");
  server.send("/audio", "chunk", 1);
  await until(() => user.log.length === 4);
  assert.deepEqual(user.log[3], ["chunk", 1]);
});

test("a server that answers is not replaced", async () => {
  const user = use("/audio", 1000);
  await until(() => user.log.filter((line) => line === "answered").length === 3);
  assert.equal(server.handshakes, 1);
});

test("a server that comes back is found again, and one that refuses is quoted meanwhile", async () => {
  const states = [];
  connections.on("state", (state) => states.push(state));
  const user = use("/audio");
  await until(() => user.channel.connected);
  const { port } = server;
  await server.stop();
  await until(() => !user.channel.connected);
  server.refuses = [503, '{"error_code": "ASF_DRAINING", "message": "The server is being shut down."}'];
  await server.start(port);
  await new Promise((resolve) => setTimeout(resolve, 500));
  server.refuses = null;
  await until(() => user.channel.connected);
  assert.deepEqual(states, ["connecting", "connected", "reconnecting", "connected"]);
  assert.deepEqual(user.errors, []);
});

test("a page that stops to run leaves the server, until it runs again", async (t) => {
  const [window, document] = [new EventTarget(), new EventTarget()];
  const page = { window, document, navigator: {} };
  for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true });
  t.after(() => {
    for (const name of Object.keys(page)) delete globalThis[name];
  });
  for (const [target, stops, goesOn] of [
    [document, new Event("freeze"), new Event("resume")],
    [window, new Event("pagehide"), Object.assign(new Event("pageshow"), { persisted: true })],
  ]) {
    const user = use("/audio");
    await until(() => user.channel.connected);
    target.dispatchEvent(stops);
    assert.deepEqual(user.log, ["connected", "disconnected"]);
    assert.equal(connections.state, "reconnecting");
    target.dispatchEvent(goesOn);
    await until(() => user.channel.connected);
    assert.deepEqual(user.log, ["connected", "disconnected", "connected"]);
    assert.deepEqual(user.errors, []);
    user.channel.close();
  }
});
