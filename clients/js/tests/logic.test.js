import assert from "node:assert/strict";
import { test } from "node:test";

import { Emitter } from "../dist/emitter.js";
import { AsfError, EpochChangedError, errorOf } from "../dist/errors.js";
import { stateOf } from "../dist/state.js";

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
