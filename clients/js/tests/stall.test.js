import assert from "node:assert/strict";
import { test } from "node:test";

import { StallDetector } from "../dist/sinks/stall.js";

const playing = (currentTime, more = {}) => ({ currentTime, paused: false, seeking: false, ended: false, readyState: 4, ...more });
const RANGES = [{ start: 0, end: 60 }];

test("a playhead that stands still is stuck after two seconds, then after four", () => {
  const stall = new StallDetector();
  assert.equal(stall.nudge(playing(5), RANGES, 0), null);
  assert.equal(stall.nudge(playing(5), RANGES, 1999), null);
  assert.equal(stall.nudge(playing(5), RANGES, 2000), 5.1);
  assert.equal(stall.nudge(playing(5.1), RANGES, 2100), null);
  assert.equal(stall.nudge(playing(5.1), RANGES, 5000), null);
  assert.equal(stall.nudge(playing(5.1), RANGES, 6100), 5.1 + 0.2);
  // It has played meanwhile.
  assert.equal(stall.nudge(playing(7), RANGES, 8000), null);
  assert.equal(stall.nudge(playing(7), RANGES, 10_000), 7.1);
});

test("what is not meant to play, or has nothing to play, is not stuck", () => {
  for (const element of [playing(5, { paused: true }), playing(5, { readyState: 2 }), playing(5, { ended: true }), playing(59.95), playing(70)]) {
    const stall = new StallDetector();
    stall.nudge(element, RANGES, 0);
    assert.equal(stall.nudge(element, RANGES, 60_000), null);
  }
});

test("a seek to what is buffered that does not end is stuck, also while it pauses", () => {
  const stall = new StallDetector();
  const seeking = playing(5, { seeking: true, paused: true, readyState: 1 });
  stall.nudge(seeking, RANGES, 0);
  assert.equal(stall.nudge(seeking, RANGES, 2000), 5.1);
  const elsewhere = playing(70, { seeking: true });
  stall.nudge(elsewhere, RANGES, 3000);
  assert.equal(stall.nudge(elsewhere, RANGES, 60_000), null);
});

test("a nudge that would leave nothing to play goes to the end", () => {
  const stall = new StallDetector();
  stall.nudge(playing(59.85), RANGES, 0);
  assert.equal(stall.nudge(playing(59.85), RANGES, 2000), 60);
});
