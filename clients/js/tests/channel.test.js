import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Namespace } from "../dist/channel.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await null;
};

/** A socket of socket.io-client, as far as a namespace uses it. */
function fakeSocket() {
  const handlers = {};
  const socket = {
    connected: false,
    active: false,
    sendBuffer: [],
    sent: [],
    acks: [],
    on: (event, handler) => (handlers[event] = handler),
    onAny: (handler) => (handlers.any = handler),
    connect: () => (socket.active = true),
    disconnect: () => (socket.active = socket.connected = false),
    emit(event, payload, ack) {
      socket.sent.push([event, payload]);
      if (ack !== undefined) socket.acks.push(ack);
    },
    timeout: () => ({ emit: socket.emit }),
    accept() {
      socket.connected = true;
      handlers.connect();
    },
    lose(reason = "transport close") {
      socket.connected = false;
      for (const ack of socket.acks.splice(0)) ack(new Error("disconnected"));
      handlers.disconnect(reason);
    },
    refuse(error) {
      socket.active = false;
      handlers.connect_error(error);
    },
    receive: (...message) => handlers.any(...message),
  };
  return socket;
}

function fakeUser(name, log) {
  return {
    connected: () => log.push(`${name} connected`),
    disconnected: () => log.push(`${name} disconnected`),
    received: (event) => log.push(`${name} received ${event}`),
    failed: (error) => log.push(`${name} failed ${error.code}`),
    patience: () => null,
    answered: () => {},
  };
}

function setUp() {
  const [log, socket] = [[], fakeSocket()];
  const unreachable = { code: "ASF_CLIENT_CONNECTION_FAILED" };
  const host = { changed: () => {}, lost: () => log.push("lost"), unreachable: () => unreachable };
  const namespace = new Namespace(socket, host);
  return { log, socket, open: (name) => namespace.open(fakeUser(name, log)), namespace };
}

test("what has ended serves the next on the same connection, which sees nothing of the earlier", async () => {
  const { log, socket, open } = setUp();
  const alice = open("alice");
  socket.accept();
  alice.close(["unsubscribe", "alice"]);
  const bob = open("bob");
  assert.equal(bob.connected, false);
  await settle();
  assert.equal(bob.connected, true);
  bob.emit("subscribe", "bob");
  socket.receive("for alice");
  socket.acks.shift()(null);
  socket.receive("for bob");
  assert.deepEqual(log, ["alice connected", "bob connected", "bob received for bob"]);
  assert.deepEqual(socket.sent, [["unsubscribe", "alice"], ["subscribe", "bob"]]);
  alice.emit("late", {});
  alice.close();
  assert.equal(socket.sent.length, 2);
  mock.timers.tick(60_000);
  assert.equal(socket.connected, true);
});

test("each of several earlier users must have parted", async () => {
  const { log, socket, open } = setUp();
  open("one").close();
  const two = open("two");
  socket.accept();
  two.close(["leave", "two"]);
  const three = open("three");
  await settle();
  three.close(["leave", "three"]);
  open("four");
  await settle();
  socket.acks.shift()(null);
  socket.receive("for three");
  socket.acks.shift()(null);
  socket.receive("for four");
  assert.deepEqual(log.filter((line) => line.includes("received")), ["four received for four"]);
});

test("an idle connection is closed after some seconds", () => {
  const { socket, open } = setUp();
  const channel = open("one");
  socket.accept();
  channel.close();
  socket.acks.shift()(null);
  mock.timers.tick(9_999);
  assert.equal(socket.connected, true);
  mock.timers.tick(1);
  assert.equal(socket.connected, false);
});

test("an idle connection that is lost is not made again", () => {
  const { socket, open } = setUp();
  const channel = open("one");
  socket.accept();
  channel.close();
  socket.lose();
  assert.equal(socket.active, false);
});

test("a connection that does not acknowledge the end of a user is lost for the next", async () => {
  const { log, socket, open } = setUp();
  open("one").close();
  const two = open("two");
  socket.accept();
  two.close();
  open("three");
  await settle();
  socket.acks.shift()(new Error("timeout"));
  assert.equal(log.at(-1), "lost");
});

test("a user gets one error when there is no connection; it may still come afterwards", () => {
  const { log, socket, open } = setUp();
  open("one");
  mock.timers.tick(29_999);
  assert.deepEqual(log, []);
  mock.timers.tick(100_000);
  assert.deepEqual(log, ["one failed ASF_CLIENT_CONNECTION_FAILED"]);
  socket.accept();
  socket.lose();
  mock.timers.tick(100_000);
  assert.deepEqual(log.slice(1), ["one connected", "one disconnected"]);
});

test("a refused namespace is an error at once, with the server's words", () => {
  const { log, socket, open } = setUp();
  open("one");
  socket.refuse(new Error("Unknown Socket.IO namespace."));
  assert.deepEqual(log, ["one failed ASF_CLIENT_REFUSED"]);
});

test("a user that is closed before the connection came hears nothing, and leaves no timer", () => {
  const { log, socket, open } = setUp();
  open("one").close();
  assert.equal(socket.active, false);
  mock.timers.tick(100_000);
  assert.deepEqual(log, []);
});
