/** Properties of the relation of bytes to seconds, for random streams, seeks and headers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline } from "../dist/timeline/timeline.js";
import { Claims } from "../dist/timeline/claims.js";
import { Measured } from "../dist/timeline/measured.js";
import { offsetIn, secondsIn } from "../dist/timeline/points.js";
import { randomOf } from "./random.js";

const CASES = 300;

/** Returns the points of a stream of several byte rates. */
function randomStream(random) {
  const points = [{ offset: Math.floor(random() * 1000), seconds: 0 }];
  for (let pieces = 2 + random() * 8; pieces > 0; pieces -= 1) {
    const [last, seconds, rate] = [points.at(-1), 5 + random() * 100, 500 + random() ** 2 * 40_000];
    points.push({ offset: Math.round(last.offset + seconds * rate), seconds: last.seconds + seconds });
  }
  return points;
}

/** Measures from `from` seconds to `to` as a decoder does, that counts from `start`. */
function measure(timeline, truth, from, to, start, step) {
  for (let seconds = from; seconds <= to; seconds += step) timeline.measured(offsetIn(truth, seconds), start + seconds - from);
}

/** Asserts what holds whatever was measured. */
function assertSane(timeline, total, isGrowing = false) {
  let [bytes, seconds] = [-1, -1];
  for (let at = 0; at <= 200; at += 1) {
    const [byte, second] = [timeline.byteAt(at * 7), timeline.secondsAt((total * at) / 200)];
    assert.ok(Number.isInteger(byte) && byte >= bytes && (isGrowing || byte <= total), `byteAt: ${byte} after ${bytes} of ${total}`);
    assert.ok(Number.isFinite(second) && second >= seconds - 1e-6, `secondsAt: ${second} after ${seconds}`);
    [bytes, seconds] = [byte, second];
  }
  const { totalSeconds } = timeline;
  assert.ok(totalSeconds === null || totalSeconds > 0);
}

for (const timed of [false, true]) {
  test(`what was measured from the start or by timestamps is exact (${timed ? "timed" : "counted"})`, () => {
    for (let seed = 1; seed <= CASES; seed += 1) {
      const random = randomOf(seed);
      const truth = randomStream(random);
      const { offset: total, seconds: length } = truth.at(-1);
      const timeline = new Timeline(timed);
      const isGrowing = random() < 0.3;
      if (!isGrowing) timeline.setTotal(total);
      const known = length * (0.2 + random() * 0.5);
      const step = 0.05 + random() * 0.4;
      measure(timeline, truth, 0, known, 0, step);
      for (let seeks = random() * 5; seeks > 0; seeks -= 1) {
        const wanted = random() * length;
        const offset = Math.min(timeline.byteAt(wanted), total - 1);
        const actual = secondsIn(truth, offset);
        if (wanted < known - 1) assert.ok(timed ? actual <= wanted + 1 : Math.abs(actual - wanted) < 1, `seed ${seed}`);
        timeline.restart(offset, wanted);
        measure(timeline, truth, actual, Math.min(length, actual + random() * 60), timed ? actual : wanted, step);
        assertSane(timeline, total, isGrowing);
      }
      for (let seconds = 1; seconds < known - 1; seconds += 3) {
        const offset = offsetIn(truth, seconds);
        assert.ok(timeline.isExact(seconds));
        assert.ok(Math.abs(timeline.secondsAt(offset) - seconds) < 1, `seed ${seed}: ${timeline.secondsAt(offset)} for ${seconds}`);
        const actual = secondsIn(truth, timeline.byteAt(seconds));
        assert.ok(actual <= seconds + 1 && actual > seconds - 2, `seed ${seed}: seek to ${seconds} lands at ${actual}`);
      }
    }
  });
}

test("a stream that was measured as a whole, in any order, has its duration", () => {
  for (let seed = 1; seed <= CASES; seed += 1) {
    const random = randomOf(seed);
    const truth = randomStream(random);
    const { offset: total, seconds: length } = truth.at(-1);
    const timeline = new Timeline(false);
    timeline.setTotal(total);
    measure(timeline, truth, 0, 10, 0, 0.3);
    for (const part of [0.6, 0.3, 0.8]) {
      const wanted = (timeline.totalSeconds ?? length) * part;
      const offset = Math.min(timeline.byteAt(wanted), total - 1000);
      timeline.restart(offset, wanted);
      const from = secondsIn(truth, offset);
      measure(timeline, truth, from, Math.min(length, from + 20 + random() * 100), wanted, 0.3);
    }
    timeline.restart(0, 0);
    measure(timeline, truth, 0, length, 0, 0.3);
    timeline.measured(total - 1, length - 1e-6);
    assert.ok(Math.abs(timeline.totalSeconds - length) < 0.01 * length, `seed ${seed}: ${timeline.totalSeconds} of ${length}`);
    for (let seconds = 1; seconds < length; seconds += 5) {
      assert.ok(Math.abs(secondsIn(truth, timeline.byteAt(seconds)) - seconds) < 1, `seed ${seed}`);
      assert.ok(Math.abs(timeline.secondsAt(timeline.byteAt(seconds)) - seconds) < 0.5, `seed ${seed}`);
    }
  }
});

test("estimates of a steady stream are right after any seek", () => {
  for (let seed = 1; seed <= CASES; seed += 1) {
    const random = randomOf(seed);
    const rate = 1000 + random() * 40_000;
    const truth = [{ offset: 0, seconds: 0 }, { offset: rate * 3600, seconds: 3600 }];
    const timeline = new Timeline(false);
    timeline.setTotal(Math.floor(rate * 3600));
    measure(timeline, truth, 0, 25, 0, 0.5);
    for (let seeks = 0; seeks < 4; seeks += 1) {
      const wanted = random() * 3600;
      const offset = timeline.byteAt(wanted);
      assert.ok(Math.abs(offset - wanted * rate) < rate);
      timeline.restart(offset, wanted);
      measure(timeline, truth, offset / rate, Math.min(3600, offset / rate + 10), wanted, 0.5);
      assert.ok(Math.abs(timeline.totalSeconds - 3600) < 3);
      assert.ok(Math.abs(timeline.secondsAt(timeline.byteAt(wanted + 5)) - wanted - 5) < 0.1);
    }
  }
});

test("measurements are bounded in memory", () => {
  const measured = new Measured();
  measured.begin(true);
  for (let seconds = 0; seconds < 20_000; seconds += 0.5) measured.add(seconds * 8000, seconds);
  assert.equal(measured.runs.length, 1);
  assert.ok(measured.runs[0].points.length <= 4097);
  assert.equal(secondsIn(measured.runs[0].points, 8_000_000), 1000);
});

test("a random header is dropped, or within what was measured", () => {
  for (let seed = 1; seed <= CASES; seed += 1) {
    const random = randomOf(seed);
    const truth = randomStream(random);
    const { offset: total, seconds: length } = truth.at(-1);
    const other = randomStream(random);
    const claims = new Claims();
    const end = random() < 0.5 ? other.at(-1) : null;
    claims.set({ format: "mpeg", audioOffset: 0, totalSeconds: other.at(-1).seconds, index: { points: other, end, toleranceBytes: 0 }, tickSeconds: null });
    for (let seconds = 0; seconds < length; seconds += 1) claims.check({ offset: offsetIn(truth, seconds), seconds }, truth[0]);
    claims.setTotal(total);
    assert.ok(claims.end === null || claims.end.seconds > length - 2 - 0.02 * claims.end.seconds, `seed ${seed}`);
    assert.ok(claims.end === null || claims.end.offset <= total);
  }
});
