import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { firstAnswer } from "../dist/sinks/first_answer.js";

/** The requests that were made: what ends each of them, and its signal. */
let asked;
let all;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  asked = [];
  all = new AbortController();
});

afterEach(() => mock.timers.reset());

function ask(signal) {
  return new Promise((answer, fail) => {
    asked.push({ answer, fail, signal });
    signal.addEventListener("abort", () => fail(signal.reason));
  });
}

async function settle() {
  await new Promise((done) => setImmediate(done));
}

/** Lets seconds pass. */
async function pass(seconds) {
  for (let second = 0; second < seconds; second += 1) {
    mock.timers.tick(1000);
    await settle();
  }
}

test("a request that is answered is made once", async () => {
  const answer = firstAnswer(ask, all.signal);
  asked[0].answer("here");
  assert.equal(await answer, "here");
  await pass(10);
  assert.deepEqual([asked.length, asked[0].signal.aborted], [1, false]);
});

test("requests on dead connections are repeated beside until one is answered", async () => {
  const answer = firstAnswer(ask, all.signal);
  await pass(3);
  assert.deepEqual(asked.map(({ signal }) => signal.aborted), [false, false, false, false]);
  asked[3].answer("here");
  assert.equal(await answer, "here");
  assert.deepEqual(asked.map(({ signal }) => signal.aborted), [true, true, true, false]);
  all.abort(); // The body of the answer is given up.
  assert.equal(asked[3].signal.aborted, true);
});

test("a slow answer to the first request counts", async () => {
  const answer = firstAnswer(ask, all.signal);
  await pass(2);
  asked[0].answer("late");
  assert.equal(await answer, "late");
  assert.deepEqual(asked.map(({ signal }) => signal.aborted), [false, true, true]);
});

test("there are never more requests than a browser has connections", async () => {
  const answer = firstAnswer(ask, all.signal);
  await pass(60);
  assert.equal(asked.length, 5);
  all.abort();
  await assert.rejects(answer, { name: "AbortError" });
});

test("a failure at once rejects at once, and one of several when all have failed", async () => {
  const refused = firstAnswer(ask, all.signal);
  asked[0].fail(new TypeError("Failed to fetch"));
  await assert.rejects(refused, TypeError);
  asked = [];
  const answer = firstAnswer(ask, all.signal);
  await pass(1);
  asked[0].fail(new TypeError("Failed to fetch"));
  await settle();
  asked[1].answer("here");
  assert.equal(await answer, "here");
});

test("nothing is asked for that is given up already", async () => {
  all.abort();
  await assert.rejects(firstAnswer(async (signal) => signal.throwIfAborted(), all.signal), { name: "AbortError" });
});
