import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { FIRST_WINDOW_BYTES } from "../dist/credit.js";
import { Session } from "../dist/session.js";

/** A session on a fake connection; `sent` has the messages to the server, `reports` those to the host. */
function open(options = {}, token = () => undefined) {
  const handlers = {};
  const [sent, reports] = [[], []];
  const socket = {
    connected: false,
    active: true,
    on: (event, handler) => (handlers[event] = handler),
    emit: (event, payload) => sent.push([event, payload]),
  };
  const connections = {
    open(_namespace, attach) {
      attach(socket);
      return { socket, close: () => (socket.connected = false) };
    },
  };
  const names = ["connected", "changed", "started", "received", "completed", "control", "status", "failed"];
  const host = Object.fromEntries(names.map((name) => [name, (detail) => reports.push([name, detail])]));
  const session = new Session(connections, "s", options, token, host);
  const receive = (event, detail) => handlers[event](detail);
  return {
    session,
    sent,
    reports,
    receive,
    connect() {
      socket.connected = true;
      receive("connect");
    },
    lose() {
      socket.connected = false;
      receive("disconnect");
    },
    start: (offset, epoch = "e") =>
      receive("audio_control", { event: "start_of_stream", stream_id: "s", offset, epoch, total_bytes: 100 }),
    end: () => receive("audio_control", { event: "end_of_stream", stream_id: "s", total_bytes: 100 }),
    chunk: (length) => receive("audio_chunk", new ArrayBuffer(length)),
    fail: (error_code) => receive("stream_error", { message: "?", error_code }),
    failures: () => reports.filter(([name]) => name === "failed").map(([, error]) => error.code),
  };
}

const JOIN = { stream_id: "s", offset: 0, window: FIRST_WINDOW_BYTES, wait: false };

test("it joins whenever the connection opens, at the offset and epoch reached so far", () => {
  const line = open({ wait: true });
  assert.deepEqual(line.sent, []);
  line.connect();
  line.start(0);
  line.chunk(10);
  line.lose();
  line.chunk(10);
  line.connect();
  const joins = [{ ...JOIN, wait: true }, { ...JOIN, wait: true, offset: 10, epoch: "e" }];
  assert.deepEqual(line.sent, joins.map((join) => ["join_stream", join]));
  assert.equal(line.session.received, 10);
});

test("after the end it joins again only for a seek", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.chunk(100);
  line.end();
  assert.equal(line.session.joined, false);
  line.lose();
  line.connect();
  assert.equal(line.sent.length, 1);
  line.session.seek(5);
  assert.deepEqual(line.sent[1], ["join_stream", { ...JOIN, offset: 5, epoch: "e" }]);
  line.start(5);
  line.session.seek(7);
  assert.deepEqual(line.sent[2], ["seek_stream", { offset: 7 }]);
});

test("temporary errors in mid-stream are retried, with growing delays", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const line = open();
  line.connect();
  line.start(0);
  for (const [attempts, seconds] of [1, 1, 2, 4, 8].entries()) {
    line.fail("ASF_TOO_MANY_LISTENERS");
    mock.timers.tick(seconds * 1000 - 1);
    assert.equal(line.sent.length, attempts + 1);
    mock.timers.tick(1);
    assert.equal(line.sent.length, attempts + 2);
  }
  assert.deepEqual(line.failures(), []);
  line.fail("ASF_TOO_MANY_LISTENERS");
  assert.deepEqual(line.failures(), ["ASF_TOO_MANY_LISTENERS"]);
  mock.timers.reset();
});

test("before the stream has started, errors are final, except while draining", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const line = open();
  line.connect();
  line.fail("ASF_DRAINING");
  mock.timers.tick(1000);
  assert.equal(line.sent.length, 2);
  line.fail("ASF_CATALOG_UNAVAILABLE");
  assert.deepEqual(line.failures(), ["ASF_CATALOG_UNAVAILABLE"]);
  mock.timers.reset();
});

test("an expired token is replaced by a newer one", () => {
  let token = "old";
  const line = open({}, () => token);
  line.connect();
  line.fail("ASF_UNAUTHORIZED");
  assert.deepEqual(line.failures(), ["ASF_UNAUTHORIZED"]);
  token = "new";
  line.fail("ASF_UNAUTHORIZED");
  assert.deepEqual(line.sent.map(([, { token: sent }]) => sent), ["old", "new"]);
});

test("another epoch is an error", () => {
  const line = open();
  line.connect();
  line.start(0, "e");
  line.lose();
  line.connect();
  line.start(0, "f");
  assert.deepEqual(line.failures(), ["ASF_EPOCH_CHANGED"]);
  assert.equal(line.reports.filter(([name]) => name === "started").length, 1);
});

test("a seek that crosses with the end of the session joins again", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.receive("error", { message: "?", error_code: "ASF_NO_SESSION" });
  assert.equal(line.sent.length, 1);
  line.session.seek(50);
  line.receive("error", { message: "?", error_code: "ASF_NO_SESSION" });
  assert.deepEqual(line.sent.map(([event]) => event), ["join_stream", "seek_stream", "join_stream"]);
});

test("credit is acknowledged, and a narrow window widened by joining again", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.session.grant(null);
  assert.equal(line.sent.length, 1);
  line.chunk(FIRST_WINDOW_BYTES);
  line.session.grant({ pendingBytes: 0, aheadSeconds: 0, bytesPerSecond: 1000 });
  assert.deepEqual(line.sent[1], ["audio_ack", { received: 30_000 }]);
  line.chunk(FIRST_WINDOW_BYTES);
  line.session.grant({ pendingBytes: 0, aheadSeconds: 0, bytesPerSecond: 192_000 });
  const { offset, window } = line.sent[2][1];
  assert.deepEqual([offset, window], [2 * FIRST_WINDOW_BYTES, 768_000]);
});

test("once left, it sends nothing more", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.chunk(FIRST_WINDOW_BYTES);
  line.session.close();
  assert.deepEqual(line.sent.at(-1), ["leave_stream", { stream_id: "s" }]);
  // What would be sent now would wait for the next connection of the same socket.
  line.session.grant({ pendingBytes: 0, aheadSeconds: 0, bytesPerSecond: 1000 });
  line.connect();
  assert.equal(line.sent.length, 2);
});
