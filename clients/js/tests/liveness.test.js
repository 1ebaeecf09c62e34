import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Liveness } from "../dist/liveness.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

/**
 * A path to a server. `answers` is after how many milliseconds the server answers, null where the path is silent. Each
 * loss is replaced by a new connection at once.
 */
function path({ patience = 3000, answers = null } = {}) {
  const seen = { probes: [], losses: [], answered: 0, answers, patience };
  const liveness = new Liveness({
    patience: () => seen.patience,
    probe() {
      seen.probes.push(Date.now());
      const connection = seen.losses.length;
      if (seen.answers !== null) setTimeout(() => seen.losses.length === connection && liveness.heard(), seen.answers);
    },
    answered: () => (seen.answered += 1),
    lost() {
      seen.losses.push(Date.now());
      liveness.start();
    },
  });
  liveness.start();
  return { liveness, seen };
}

function pass(milliseconds) {
  for (let passed = 0; passed < milliseconds; passed += 50) mock.timers.tick(50);
}

test("a silent path with nothing in store is lost within six seconds", () => {
  const { liveness, seen } = path();
  for (let chunks = 0; chunks < 10; chunks += 1) {
    pass(250);
    liveness.heard();
  }
  const silentSince = Date.now();
  pass(6000);
  assert.equal(seen.losses.length, 1);
  assert.ok(seen.losses[0] - silentSince <= 5500);
});

test("while audio flows nobody is asked", () => {
  const { liveness, seen } = path();
  for (let chunks = 0; chunks < 400; chunks += 1) {
    pass(1000);
    liveness.heard();
  }
  assert.deepEqual(seen.probes, []);
});

for (const answers of [0, 100, 1000, 2000]) {
  test(`a server that has nothing to send, and answers after ${answers} ms, is not lost`, () => {
    const { seen } = path({ answers });
    pass(600_000);
    assert.deepEqual(seen.losses, []);
    assert.equal(seen.answered, seen.probes.length);
    assert.ok(seen.probes.length <= 220, `${seen.probes.length} questions in ten minutes`);
  });
}

test("a path that becomes silent after a pause is lost as soon", () => {
  const { seen } = path({ answers: 100 });
  pass(40_000);
  seen.answers = null;
  const silentSince = Date.now();
  pass(8000);
  assert.ok(seen.losses[0] - silentSince <= 7000, `${seen.losses[0] - silentSince} ms`);
});

test("with much in store there are fewer questions", () => {
  const { seen } = path({ patience: 10_000, answers: 100 });
  pass(600_000);
  assert.ok(seen.probes.length <= 70, `${seen.probes.length} questions in ten minutes`);
});

test("where nothing is due, only missing pings of the server are suspicious", () => {
  const { liveness, seen } = path({ patience: null });
  for (let pings = 0; pings < 10; pings += 1) {
    pass(25_000);
    liveness.heard();
  }
  assert.deepEqual(seen.probes, []);
  pass(35_000);
  assert.equal(seen.losses.length, 1);
});

for (const answers of [4000, 8000, 15_000, 19_000]) {
  test(`a path that is slow to answer, by ${answers} ms, is lost a few times at most`, () => {
    const { seen } = path({ answers });
    pass(1_800_000);
    assert.ok(seen.losses.length <= 4, `${seen.losses.length} times`);
  });
}

test("random paths: whatever answers within 2 s is never lost, whatever does not is always", () => {
  for (let round = 0; round < 50; round += 1) {
    const { liveness, seen } = path({ patience: [3000, 5000, 10_000, null][round % 4] });
    for (let steps = 0; steps < 20; steps += 1) {
      seen.answers = Math.random() * 2000;
      pass(Math.random() * 20_000);
      if (Math.random() < 0.5) liveness.heard();
    }
    assert.deepEqual(seen.losses, []);
    seen.answers = null;
    pass(35_000);
    assert.ok(seen.losses.length > 0);
    liveness.stop();
  }
});

test("a check asks at once", () => {
  const { liveness, seen } = path({ patience: null });
  pass(1000);
  liveness.check();
  assert.equal(seen.probes.length, 1);
  pass(3500);
  assert.equal(seen.losses.length, 1);
});

test("time for which the page was suspended does not count as silence", () => {
  const { seen } = path();
  pass(1000);
  mock.timers.setTime(Date.now() + 3_600_000); // Runs the timer, an hour late.
  assert.deepEqual(seen.losses, []);
  assert.deepEqual(seen.probes, []);
});

test("stopped, it asks no more, and has no timer", () => {
  const { liveness, seen } = path();
  liveness.stop();
  liveness.check();
  pass(100_000);
  assert.deepEqual(seen.probes, []);
});
