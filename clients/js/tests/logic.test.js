import assert from "node:assert/strict";
import { test } from "node:test";

import { Emitter } from "../dist/emitter.js";
import { AsfError, EpochChangedError, errorOf } from "../dist/errors.js";
import { RateMeter } from "../dist/rate.js";
import { retryDelay } from "../dist/retries.js";
import { stateOf } from "../dist/state.js";

test("the rate is measured from the first audio, and follows changes", () => {
  const meter = new RateMeter();
  meter.observe(1_000_000, 0.02); // a picture
  assert.equal(meter.bytesPerSecond, null);
  for (let seconds = 1; seconds <= 100; seconds += 1) meter.observe(1_000_000 + 16_000 * seconds, seconds + 0.02);
  assert.equal(Math.round(meter.bytesPerSecond), 16_000);
  assert.equal(meter.byteAt(200.02), 1_000_000 + 3_200_000);
  assert.equal(Math.round(meter.secondsAt(1_000_000 + 3_200_000)), 200);
  let bytes = 2_600_000;
  for (let seconds = 101; seconds <= 140; seconds += 1) meter.observe((bytes += 8000), seconds + 0.02);
  assert.equal(Math.round(meter.bytesPerSecond), 8000);
});

test("a first, rough rate is that since the start", () => {
  const meter = new RateMeter();
  meter.begin(1000, 10);
  meter.observe(9000, 12);
  assert.equal(meter.bytesPerSecond, 4000);
  assert.equal(meter.byteAt(13), 13_000);
});

test("a restart keeps the rate", () => {
  const meter = new RateMeter();
  meter.observe(0, 0);
  meter.observe(16_000, 1);
  meter.restart();
  assert.equal(meter.bytesPerSecond, 16_000);
  assert.equal(meter.byteAt(5), null);
  meter.observe(100_000, 50);
  assert.equal(meter.byteAt(51), 116_000);
});

test("states", () => {
  const facts = { failed: false, ended: false, waiting: false, started: true, wanted: true, heard: true, underrun: false };
  assert.equal(stateOf(facts), "playing");
  assert.equal(stateOf({ ...facts, underrun: true }), "stalled");
  assert.equal(stateOf({ ...facts, underrun: true, heard: false }), "buffering");
  assert.equal(stateOf({ ...facts, wanted: false, underrun: true }), "paused");
  assert.equal(stateOf({ ...facts, started: false }), "connecting");
  assert.equal(stateOf({ ...facts, started: false, waiting: true }), "waiting");
  assert.equal(stateOf({ ...facts, ended: true }), "ended");
  assert.equal(stateOf({ ...facts, ended: true, failed: true }), "failed");
});

test("which errors are retried, and for how long", () => {
  assert.equal(retryDelay("ASF_LISTENER_TOO_SLOW", 0), 0);
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((attempts) => retryDelay("ASF_TOO_MANY_LISTENERS", attempts)), [1, 1, 2, 4, 8, null]);
  const draining = Array.from({ length: 13 }, (_, attempts) => retryDelay("ASF_DRAINING", attempts));
  assert.deepEqual(draining, [1, 1, 2, 4, ...Array(8).fill(8), null]);
  for (const code of ["ASF_EPOCH_CHANGED", "ASF_GENERATION_FAILED", "ASF_UNAUTHORIZED"]) assert.equal(retryDelay(code, 0), null);
});

test("errors carry what the server said", () => {
  const error = errorOf({ message: "Gone.", error_code: "ASF_AUDIO_UNAVAILABLE", retryable: true, details: "x", offset: 5 });
  assert.ok(error instanceof AsfError);
  assert.deepEqual([error.message, error.code, error.retryable, error.details, error.offset], ["Gone.", "ASF_AUDIO_UNAVAILABLE", true, "x", 5]);
  const regenerated = errorOf({ message: "Regenerated.", error_code: "ASF_EPOCH_CHANGED", epoch: "f" });
  assert.ok(regenerated instanceof EpochChangedError);
  assert.equal(regenerated.currentEpoch, "f");
  assert.equal(errorOf({ message: "?" }).retryable, false);
});

test("an exception of one listener does not affect the others", () => {
  class Source extends Emitter {
    say(word) {
      this.emit("word", word);
    }
  }
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  const source = new Source();
  const heard = [];
  source.on("word", () => {
    throw new Error("broken");
  });
  const off = source.on("word", (word) => heard.push(word));
  source.say("one");
  off();
  source.say("two");
  assert.deepEqual(heard, ["one"]);
  assert.deepEqual(reported, ["broken", "broken"]);
  delete globalThis.reportError;
});
