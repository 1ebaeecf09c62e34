import assert from "node:assert/strict";
import { test } from "node:test";

import { landingOf } from "../dist/sinks/landing.js";
import { afterHole, rangeAt, secondsAfter } from "../dist/sinks/ranges.js";

const target = (seconds, more = {}) => ({ seconds, isPrecise: true, tries: 2, ...more });
const range = (start, end) => ({ start, end });
const WAIT = { kind: "wait" };

test("a seek lands where it was asked to as soon as that is buffered", () => {
  assert.deepEqual(landingOf(target(100), [], false), WAIT);
  assert.deepEqual(landingOf(target(100), [range(97, 99)], false), WAIT);
  assert.deepEqual(landingOf(target(100), [range(97, 101)], false), { kind: "move", seconds: 100 });
  // Decoders drop priming samples.
  assert.deepEqual(landingOf(target(100), [range(100.05, 101)], false), { kind: "move", seconds: 100.05 });
  assert.deepEqual(landingOf(target(100), [range(97, 99), range(101, 102)], false), { kind: "move", seconds: 101 });
});

test("what comes too late is fetched from before, and taken where that does not help", () => {
  assert.deepEqual(landingOf(target(100), [range(104, 105)], false), { kind: "fetch", seconds: -4 });
  assert.deepEqual(landingOf(target(100, { tries: 0 }), [range(104, 105)], false), { kind: "move", seconds: 104 });
  assert.deepEqual(landingOf(target(100, { isPrecise: false }), [range(104, 105)], false), { kind: "move", seconds: 104 });
});

test("what comes far too early is not waited through", () => {
  assert.deepEqual(landingOf(target(100), [range(50, 52)], false), { kind: "fetch", seconds: 48 });
  assert.deepEqual(landingOf(target(100, { tries: 0 }), [range(50, 52)], false), WAIT);
});

test("a seek beyond the end lands at the end", () => {
  assert.deepEqual(landingOf(target(100), [range(97, 98)], true), { kind: "move", seconds: 98 });
  assert.deepEqual(landingOf(target(100), [], true), { kind: "fetch", seconds: -2 });
  assert.deepEqual(landingOf(target(100, { tries: 0 }), [], true), WAIT);
});

test("playing continues after a hole", () => {
  const ranges = [range(0, 5), range(7, 9), range(12, 13)];
  assert.equal(afterHole(ranges, 3), null);
  assert.equal(afterHole(ranges, 4.9), 7);
  assert.equal(afterHole(ranges, 5), 7);
  assert.equal(afterHole(ranges, 10), 12);
  assert.equal(afterHole(ranges, 13), null);
  assert.equal(afterHole([range(5, 9)], 0), 5);
  assert.equal(afterHole([], 0), null);
});

test("audio ahead is counted over all ranges, also before the playhead is in one", () => {
  assert.equal(secondsAfter([range(0, 5), range(7, 9)], 3), 4);
  assert.equal(secondsAfter([range(3600, 3630)], 0), 30);
  assert.equal(secondsAfter([], 0), 0);
  assert.deepEqual(rangeAt([range(0, 5), range(7, 9)], 6.9), range(7, 9));
  assert.equal(rangeAt([range(0, 5)], 5), undefined);
});
