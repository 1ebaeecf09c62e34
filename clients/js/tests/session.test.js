import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Tokens } from "../dist/access.js";
import { FIRST_WINDOW_BYTES } from "../dist/credit.js";
import { Session } from "../dist/session.js";

/** A session on a fake channel; `sent` has the messages to the server, `reports` those to the host. */
function open(options = {}, token = undefined) {
  const [sent, reports, channels] = [[], [], []];
  let user;
  const connections = {
    open(_namespace, opened) {
      user = opened;
      const channel = {
        connected: false,
        emit: (event, payload) => channel.connected && sent.push([event, payload]),
        close(farewell) {
          if (farewell !== undefined) channel.emit(...farewell);
          channel.connected = false;
          channel.closed = true;
        },
      };
      channels.push(channel);
      return channel;
    },
  };
  const names = ["connected", "changed", "started", "received", "completed", "control", "status", "retrying", "failed"];
  const host = Object.fromEntries(names.map((name) => [name, (detail) => reports.push([name, detail])]));
  const session = new Session(connections, "s", options, new Tokens(token), host);
  const receive = (event, detail) => user.received(event, [detail]);
  const codes = (wanted) => reports.filter(([name]) => name === wanted).map(([, error]) => error.code);
  return {
    session,
    sent,
    reports,
    receive,
    channels,
    user: () => user,
    connect() {
      channels.at(-1).connected = true;
      user.connected();
    },
    lose() {
      channels.at(-1).connected = false;
      user.disconnected();
    },
    start: (offset, epoch = "e", total_bytes = 100) =>
      receive("audio_control", { event: "start_of_stream", stream_id: "s", offset, epoch, total_bytes, chunk_size: 10 }),
    end: () => receive("audio_control", { event: "end_of_stream", stream_id: "s", total_bytes: 100 }),
    chunk: (length) => receive("audio_chunk", new ArrayBuffer(length)),
    fail: (error_code, retryable = false, rest = {}) =>
      receive("stream_error", { message: "?", error_code, retryable, ...rest }),
    joins: () => sent.filter(([event]) => event === "join_stream").map(([, request]) => request),
    failures: () => codes("failed"),
    retries: () => codes("retrying"),
  };
}

/** Promises that are resolved by now have run their handlers. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await null;
};

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

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
  // A stream that has started and is gone is not waited for.
  const joins = [{ ...JOIN, wait: true }, { ...JOIN, offset: 10, epoch: "e" }];
  assert.deepEqual(line.sent, joins.map((join) => ["join_stream", join]));
  assert.equal(line.session.received, 10);
});

test("after the end it gives its channel back, and opens one again for a seek", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.chunk(100);
  line.end();
  assert.equal(line.session.joined, false);
  assert.deepEqual(line.channels.map(({ closed }) => closed), [true]);
  line.session.seek(5);
  assert.equal(line.channels.length, 2);
  line.connect();
  assert.deepEqual(line.sent[1], ["join_stream", { ...JOIN, offset: 5, epoch: "e" }]);
  line.start(5);
  line.session.seek(7);
  assert.deepEqual(line.sent[2], ["seek_stream", { offset: 7 }]);
});

test("a session that rests has left, and opens a channel again for a seek", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.session.rest();
  line.session.rest();
  assert.deepEqual(line.sent[1], ["leave_stream", { stream_id: "s" }]);
  line.session.seek(3);
  line.connect();
  assert.deepEqual(line.sent[2], ["join_stream", { ...JOIN, offset: 3, epoch: "e" }]);
});

/** Whatever has `retryable`, known or not, and those whose events have no such field. */
const TEMPORARY = [
  ["ASF_STREAM_STALLED", true],
  ["ASF_AUDIO_UNAVAILABLE", true],
  ["ASF_CATALOG_UNAVAILABLE", true],
  ["ASF_TOO_MANY_LISTENERS", true],
  ["ASF_DRAINING", true],
  ["ASF_OF_A_LATER_VERSION", true],
  ["ASF_RATE_LIMITED", false],
];

for (const [code, retryable] of TEMPORARY) {
  test(`${code} in mid-stream is retried at the offset, with growing delays, for a bounded time`, () => {
    const line = open();
    line.connect();
    line.start(0);
    line.chunk(10);
    const delays = [];
    while (line.failures().length === 0) {
      line.fail(code, retryable);
      let delay = 0;
      for (const { length } = line.joins(); line.joins().length === length && delay < 20_000; delay += 50) mock.timers.tick(50);
      delays.push(delay);
    }
    delays.pop();
    const total = delays.reduce((sum, delay) => sum + delay, 0);
    const patience = code === "ASF_DRAINING" ? 120_000 : 60_000;
    assert.ok(patience <= total && total < patience + 5_500, `${total} ms`);
    for (const [index, delay] of delays.entries()) {
      const most = Math.min(1000 * 2 ** index, 5000);
      assert.ok(most / 2 <= delay && delay <= most + 50, `${delay} ms is delay ${index}`);
    }
    assert.deepEqual(line.failures(), [code]);
    assert.deepEqual(line.joins().at(-1), { ...JOIN, offset: 10, epoch: "e" });
    assert.equal(line.channels.at(-1).closed, true);
  });
}

test("delays have jitter", () => {
  const first = () => {
    const line = open();
    line.connect();
    line.start(0);
    line.fail("ASF_STREAM_STALLED", true);
    let delay = 0;
    for (; line.joins().length === 1; delay += 1) mock.timers.tick(1);
    return delay;
  };
  assert.ok(new Set(Array.from({ length: 20 }, first)).size > 5);
});

test("audio that arrives restarts the time limit for retries", () => {
  const line = open();
  line.connect();
  line.start(0);
  for (let minute = 0; minute < 5; minute += 1) {
    for (let attempt = 0; attempt < 8; attempt += 1) {
      line.fail("ASF_STREAM_STALLED", true);
      mock.timers.tick(5000);
    }
    line.start(minute);
    line.chunk(1);
  }
  assert.deepEqual(line.failures(), []);
});

test("a delay that the server asks for is respected", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.fail("ASF_TOO_MANY_LISTENERS", true, { retry_after: 7 });
  mock.timers.tick(6999);
  assert.equal(line.joins().length, 1);
  mock.timers.tick(1);
  assert.equal(line.joins().length, 2);
});

test("a listener that was dropped as too slow joins again at once, but not again and again", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.fail("ASF_LISTENER_TOO_SLOW", true);
  mock.timers.tick(0);
  assert.equal(line.joins().length, 2);
  mock.timers.tick(100);
  line.fail("ASF_LISTENER_TOO_SLOW", true);
  mock.timers.tick(0);
  assert.equal(line.joins().length, 2);
});

test("a lost connection restarts the time limit for retries: the next server may be another", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.fail("ASF_CATALOG_UNAVAILABLE", true);
  line.lose();
  mock.timers.tick(300_000);
  line.connect();
  line.fail("ASF_CATALOG_UNAVAILABLE", true);
  assert.deepEqual(line.failures(), []);
});

test("before the stream has started, patience is shorter", () => {
  const line = open();
  line.connect();
  const begin = Date.now();
  while (line.failures().length === 0) {
    line.fail("ASF_AUDIO_UNAVAILABLE", true);
    mock.timers.tick(5000);
  }
  assert.ok(20_000 <= Date.now() - begin && Date.now() - begin <= 30_000);
});

for (const code of ["ASF_GENERATION_FAILED", "ASF_STREAM_NOT_FOUND", "ASF_EPOCH_CHANGED", "ASF_UNAUTHORIZED"]) {
  test(`${code} at the first join is final`, () => {
    const line = open();
    line.connect();
    line.fail(code, code === "ASF_STREAM_NOT_FOUND");
    assert.deepEqual(line.failures(), [code]);
    assert.deepEqual(line.retries(), []);
  });
}

test("with wait, a session waits until the stream is announced", () => {
  const line = open({ wait: true });
  line.connect();
  for (let hour = 0; hour < 30; hour += 1) {
    line.receive("stream_status", { status: "waiting", stream_id: "s" });
    mock.timers.tick(120_000);
    line.fail("ASF_STREAM_NOT_FOUND", true);
    mock.timers.tick(1000);
  }
  assert.equal(line.joins().length, 31);
  assert.deepEqual(line.failures(), []);
});

test("an error of another stream, or of an earlier user of the connection, concerns nobody", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.fail("ASF_GENERATION_FAILED", false, { stream_id: "other" });
  assert.deepEqual(line.failures(), []);
});

test("a session that is closed does not join again, and is silent", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.fail("ASF_STREAM_STALLED", true);
  line.session.close();
  const { length } = line.reports;
  mock.timers.tick(100_000);
  line.session.seek(5);
  line.session.follow();
  assert.equal(line.sent.length, 1);
  assert.equal(line.channels.length, 1);
  assert.equal(line.reports.length, length);
});

test("an expired token is replaced by a newer one", () => {
  let token = "old";
  const line = open({}, () => token);
  line.connect();
  line.start(0);
  line.chunk(10);
  token = "new";
  line.fail("ASF_UNAUTHORIZED");
  mock.timers.tick(0);
  assert.deepEqual(line.joins().map(({ token: sent }) => sent), ["old", "new"]);
  assert.equal(line.joins()[1].offset, 10);
  assert.deepEqual(line.failures(), []);
});

test("a token that stays rejected is not sent again, and after bounded tries it is an error", () => {
  const asked = mock.fn(() => "old");
  const line = open({}, asked);
  line.connect();
  line.fail("ASF_UNAUTHORIZED");
  for (let tries = 0; tries < 10; tries += 1) mock.timers.tick(3000);
  assert.equal(line.joins().length, 1);
  assert.deepEqual(line.failures(), ["ASF_UNAUTHORIZED"]);
  assert.ok(asked.mock.callCount() <= 4);
});

test("wrong tokens, always others, are tried a bounded number of times", () => {
  let count = 0;
  const line = open({}, () => `wrong ${(count += 1)}`);
  line.connect();
  for (let seconds = 0; seconds < 60; seconds += 1) {
    if (line.failures().length === 0) line.fail("ASF_UNAUTHORIZED");
    mock.timers.tick(3000);
  }
  assert.equal(line.joins().length, 4);
  assert.deepEqual(line.failures(), ["ASF_UNAUTHORIZED"]);
});

test("a promised token is awaited, and asked for before each join", async () => {
  let count = 0;
  const line = open({}, async () => `token ${(count += 1)}`);
  line.connect();
  assert.equal(line.joins().length, 0);
  await settle();
  line.start(0);
  line.chunk(10);
  line.lose();
  line.connect();
  await settle();
  assert.deepEqual(line.joins().map(({ token, offset }) => [token, offset]), [["token 1", 0], ["token 2", 10]]);
});

test("a token that arrives after the connection was lost, or the session closed, is not sent", async () => {
  const resolvers = [];
  const line = open({}, () => new Promise((resolve) => resolvers.push(resolve)));
  line.connect();
  line.lose();
  resolvers[0]("late");
  await settle();
  assert.equal(line.joins().length, 0);
  line.connect();
  await settle();
  line.session.close();
  resolvers[1]("later");
  await settle();
  assert.equal(line.joins().length, 0);
});

for (const [name, failing] of [
  ["throws", () => { throw new Error("no session"); }],
  ["rejects", async () => { throw new Error("no session"); }],
]) {
  test(`a token function that ${name} is tried a bounded time, then it is ASF_UNAUTHORIZED`, async () => {
    const asked = mock.fn(failing);
    const line = open({}, asked);
    line.connect();
    for (let seconds = 0; seconds < 40; seconds += 1) {
      await settle();
      mock.timers.tick(1000);
    }
    assert.deepEqual(line.failures(), ["ASF_UNAUTHORIZED"]);
    assert.match(line.reports.at(-1)[1].details, /no session/);
    assert.ok(2 <= asked.mock.callCount() && asked.mock.callCount() <= 12);
    assert.equal(line.joins().length, 0);
  });
}

test("a token function that never answers is ASF_UNAUTHORIZED within a minute", async () => {
  const line = open({}, () => new Promise(() => {}));
  line.connect();
  for (let seconds = 0; seconds < 60; seconds += 1) {
    await settle();
    mock.timers.tick(1000);
  }
  await settle();
  assert.deepEqual(line.failures(), ["ASF_UNAUTHORIZED"]);
});

test("a session that follows the stream receives its truth, and no audio", () => {
  const line = open();
  line.connect();
  line.start(0, "e", null);
  line.chunk(10);
  line.session.follow();
  assert.deepEqual(line.sent.at(-1), ["seek_stream", { offset: Number.MAX_SAFE_INTEGER }]);
  line.chunk(10); // It was under way.
  assert.equal(line.session.offset, 10);
  line.start(Number.MAX_SAFE_INTEGER, "e", null);
  line.lose();
  line.connect();
  assert.deepEqual(line.joins().at(-1), { ...JOIN, offset: Number.MAX_SAFE_INTEGER, epoch: "e" });
  line.start(Number.MAX_SAFE_INTEGER, "e", null);
  line.end();
  assert.equal(line.session.offset, 10);
  assert.equal(line.session.received, 10);
  assert.deepEqual(line.reports.filter(([name]) => name === "completed"), [["completed", 100]]);
  line.session.seek(20);
  line.connect();
  assert.deepEqual(line.joins().at(-1), { ...JOIN, offset: 20, epoch: "e" });
});

test("a session that follows receives a failure", () => {
  const line = open();
  line.connect();
  line.start(0, "e", null);
  line.session.follow();
  line.start(Number.MAX_SAFE_INTEGER, "e", null);
  line.fail("ASF_STREAM_STALLED", true);
  mock.timers.tick(1000);
  line.fail("ASF_GENERATION_FAILED");
  assert.deepEqual(line.failures(), ["ASF_GENERATION_FAILED"]);
});

test("a server that was never there is an error; one that was there may be restarting", () => {
  const unreachable = { code: "ASF_CLIENT_CONNECTION_FAILED", retryable: true };
  const never = open();
  never.user().failed(unreachable);
  assert.deepEqual(never.failures(), ["ASF_CLIENT_CONNECTION_FAILED"]);
  const restarting = open();
  restarting.connect();
  restarting.lose();
  restarting.user().failed(unreachable);
  assert.deepEqual(restarting.failures(), []);
});

test("silence matters while audio is due, less with more in store", () => {
  const line = open();
  assert.equal(line.user().patience(), null);
  line.connect();
  assert.equal(line.user().patience(), 3000); // For the answer to the join.
  line.start(0, "e", null);
  assert.equal(line.user().patience(), 3000);
  line.session.grant({ pendingBytes: 0, aheadSeconds: 15, bytesPerSecond: 1000 });
  assert.equal(line.user().patience(), 5000);
  line.session.grant({ pendingBytes: 0, aheadSeconds: 60, bytesPerSecond: 1000 });
  assert.equal(line.user().patience(), 10_000);
  line.chunk(FIRST_WINDOW_BYTES - 9); // The window has no room for a chunk of 10 bytes.
  assert.equal(line.user().patience(), null);
  line.lose();
  assert.equal(line.user().patience(), null);
});

test("a server that answers and withholds complete audio is joined again", () => {
  const line = open();
  line.connect();
  line.start(0);
  for (let answers = 0; answers < 8; answers += 1) line.user().answered();
  assert.equal(line.joins().length, 2);
  line.start(0, "e", null); // Growing audio may not be there yet.
  for (let answers = 0; answers < 100; answers += 1) line.user().answered();
  assert.equal(line.joins().length, 2);
});

test("a rejected acknowledgement is given again", () => {
  const line = open();
  line.connect();
  line.start(0);
  line.chunk(FIRST_WINDOW_BYTES);
  const sink = { pendingBytes: 0, aheadSeconds: 0, bytesPerSecond: 2000 };
  line.session.grant(sink);
  line.receive("error", { message: "?", error_code: "ASF_INVALID_ACK" });
  line.session.grant(sink);
  assert.deepEqual(line.sent[2], line.sent[1]);
  assert.equal(line.sent[2][0], "audio_ack");
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

test("a server that does not say where the audio starts is of another version", () => {
  const line = open();
  line.connect();
  line.receive("audio_control", { event: "start_of_stream", stream_id: "s", timestamp: 0 });
  assert.deepEqual(line.failures(), ["ASF_CLIENT_REFUSED"]);
  assert.ok(line.channels[0].closed);
});

test("what a later version of the server may say besides is nothing to this one", () => {
  const line = open();
  line.connect();
  line.receive("audio_news", { stream_id: "s" });
  line.receive("stream_status", { stream_id: "s", status: "warming_up" });
  line.start(0);
  line.receive("audio_control", { event: "chapter", stream_id: "s" });
  line.chunk(10);
  assert.deepEqual(line.failures(), []);
  assert.equal(line.session.received, 10);
  assert.equal(line.session.joined, true);
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
