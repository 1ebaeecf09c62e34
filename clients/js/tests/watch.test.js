import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Tokens } from "../dist/access.js";
import { Watch } from "../dist/watch.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await null;
};

/** A watch on a fake channel; `sent` has the messages to the server, `events` those of the watch. */
function watching(options = {}, token = undefined) {
  const [sent, events] = [[], []];
  let user;
  const channel = {
    connected: false,
    emit: (event, payload) => channel.connected && sent.push([event, payload]),
    close(...farewell) {
      channel.connected = false;
      channel.farewell = farewell;
    },
  };
  const connections = {
    open(_namespace, opened) {
      user = opened;
      return channel;
    },
  };
  const watch = new Watch(connections, "/ui_updates", "alice", options, new Tokens(token));
  for (const name of ["update", "gap", "subscribed", "error"]) watch.on(name, (detail) => events.push([name, detail]));
  return {
    watch,
    sent,
    events,
    channel,
    user: () => user,
    connect() {
      channel.connected = true;
      user.connected();
    },
    receive: (event, ...details) => user.received(event, details),
    confirm: (rest = {}) =>
      user.received("subscribed_ui_updates", [{ client_id: "alice", epoch: "e", seq: 5, recovered: true, ...rest }]),
    fail: (error_code, rest = {}) => user.received("ui_error", [{ message: "?", error_code, ...rest }]),
    errors: () => events.filter(([name]) => name === "error").map(([, { error }]) => error.code),
  };
}

const UPDATE = ["progress", { percent: 5 }, { epoch: "e", seq: 6, timestamp: 1 }];

test("updates are those after the confirmation", () => {
  const line = watching({ history: true });
  line.connect();
  line.receive(...UPDATE);
  line.confirm();
  line.receive(...UPDATE);
  line.receive(...UPDATE);
  assert.deepEqual(line.events.map(([name]) => name), ["subscribed", "update"]);
});

test("temporary errors are retried with growing delays, for as long as it takes", () => {
  const line = watching({ history: true });
  line.connect();
  for (let minutes = 0; minutes < 60; minutes += 1) {
    line.fail("ASF_SOCKETIO_EMIT_FAILED");
    mock.timers.tick(10_000);
  }
  assert.equal(line.sent.length, 61);
  assert.deepEqual(line.errors(), []);
  line.confirm();
  line.fail("ASF_RATE_LIMITED");
  mock.timers.tick(1000);
  assert.equal(line.sent.length, 62);
});

test("closed, it is silent and sends nothing, whatever was under way", async () => {
  const resolvers = [];
  for (const tamper of [
    (line) => line.fail("ASF_SOCKETIO_EMIT_FAILED"),
    (line) => line.confirm({ recovered: undefined }),
    () => {},
  ]) {
    for (const token of [undefined, () => new Promise((resolve) => resolvers.push(resolve))]) {
      const line = watching({}, token);
      line.connect();
      await settle();
      resolvers.shift()?.("token");
      await settle();
      tamper(line);
      line.watch.close();
      line.watch.close();
      const before = [line.sent.length, line.events.length];
      line.channel.connected = true; // Another watch has the connection now.
      resolvers.shift()?.("token");
      await settle();
      mock.timers.tick(100_000);
      await settle();
      assert.deepEqual([line.sent.length, line.events.length], before);
      assert.deepEqual(line.channel.farewell, [["unsubscribe_from_ui_updates", { client_id: "alice" }]]);
    }
  }
});

test("a final error closes it, and is reported once", () => {
  const line = watching();
  line.connect();
  line.fail("ASF_TOO_MANY_SUBSCRIPTIONS");
  mock.timers.tick(100_000);
  assert.deepEqual(line.errors(), ["ASF_TOO_MANY_SUBSCRIPTIONS"]);
  assert.equal(line.sent.length, 1);
  assert.notEqual(line.channel.farewell, undefined);
});

test("notices are no errors of the subscription", () => {
  const line = watching();
  line.connect();
  line.fail("ASF_SLOWED_DOWN");
  line.fail("ASF_NOTHING_JOINED");
  assert.deepEqual(line.errors(), []);
});

test("wrong tokens are tried a bounded number of times", async () => {
  let count = 0;
  const line = watching({}, async () => `wrong ${(count += 1)}`);
  line.connect();
  let answered = 0;
  for (let seconds = 0; seconds < 100; seconds += 1) {
    await settle();
    if (line.sent.length > answered) line.fail("ASF_UNAUTHORIZED");
    answered = line.sent.length;
    await settle();
    mock.timers.tick(1000);
  }
  assert.deepEqual(line.errors(), ["ASF_UNAUTHORIZED"]);
  assert.equal(line.sent.length, 4);
});

test("a token function that fails is asked ever less often, and has half a minute", async () => {
  let token;
  const asked = mock.fn(async () => {
    if (token === undefined) throw new Error("offline");
    return token;
  });
  const pass = async (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      await settle();
      mock.timers.tick(1000);
    }
    await settle();
  };
  const line = watching({ history: true }, asked);
  line.connect();
  await pass(10);
  assert.deepEqual(line.errors(), []);
  token = "fresh";
  await pass(10);
  assert.deepEqual(line.sent.map(([, request]) => request.token), ["fresh"]);
  line.confirm();
  token = undefined;
  line.fail("ASF_UNAUTHORIZED");
  const before = asked.mock.callCount();
  await pass(600);
  assert.deepEqual(line.errors(), ["ASF_UNAUTHORIZED"]);
  assert.match(line.events.at(-1)[1].error.details, /offline/);
  assert.equal(asked.mock.callCount() - before, 7);
});

test("a server that is not there is an error, and the watch keeps trying", () => {
  const line = watching({ history: true });
  line.user().failed({ code: "ASF_CLIENT_CONNECTION_FAILED", retryable: true });
  assert.deepEqual(line.errors(), ["ASF_CLIENT_CONNECTION_FAILED"]);
  line.connect();
  assert.equal(line.sent.length, 1);
  line.user().failed({ code: "ASF_CLIENT_REFUSED", retryable: false });
  assert.notEqual(line.channel.farewell, undefined);
});
