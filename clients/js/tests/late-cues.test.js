import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { LateCues } from "../dist/cues/late_cues.js";

/** Late cues of a session at cue 7 of epoch `e`, and a server whose next answers are `answers`: a status, or cues. */
function lateCues(answers) {
  const [asked, taken] = [[], []];
  const session = {
    epoch: "e",
    cuesSince: 7,
    takeCues({ cues, seq }) {
      session.cuesSince = seq;
      taken.push(...cues);
    },
  };
  mock.method(globalThis, "fetch", async (url) => {
    asked.push(`${url}`);
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("The network is gone.");
    if (typeof answer === "number") return new Response("{}", { status: answer });
    const { cues = [], seq = session.cuesSince, epoch = "e" } = answer;
    return Response.json({ stream_id: "s", epoch, seq, cues });
  });
  return { late: new LateCues(() => "https://asf.example/cues/s?token=t", session), asked, taken };
}

/** Lets time pass, and what is awaited arrive. */
async function pass(seconds) {
  for (let second = 0; second < seconds; second += 1) {
    mock.timers.tick(1000);
    await new Promise(process.nextTick);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function timed(name, scenario) {
  test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      await scenario();
    } finally {
      mock.restoreAll();
      mock.timers.reset();
    }
  });
}

timed("late cues are asked for from the last one on, ever more rarely until one comes", async () => {
  const { late, asked, taken } = lateCues([{}, { cues: [{ start: 1 }], seq: 9 }, {}, {}, {}, {}, {}, {}]);
  late.run(true);
  await pass(6);
  assert.deepEqual(asked, Array(2).fill("https://asf.example/cues/s?token=t&since=7"));
  assert.deepEqual(taken, [{ start: 1 }]);
  await pass(2);
  assert.equal(asked.at(-1), "https://asf.example/cues/s?token=t&since=9");
  await pass(4 + 8 + 16 + 16);
  assert.equal(asked.length, 7);
  late.run(false);
});

timed("nothing is asked for while the playback does not sound", async () => {
  const { late, asked } = lateCues([{}, {}]);
  late.run(true);
  await pass(1);
  late.run(false);
  await pass(60);
  assert.equal(asked.length, 0);
  late.run(true);
  late.run(true);
  await pass(2);
  assert.equal(asked.length, 1);
  late.run(false);
});

timed("errors are borne", async () => {
  const { late, asked, taken } = lateCues([503, undefined, { cues: [{ start: 2 }], seq: 8 }]);
  late.run(true);
  await pass(2 + 4 + 8);
  late.run(false);
  assert.equal(asked.length, 3);
  assert.deepEqual(taken, [{ start: 2 }]);
});

for (const [why, answer] of [
  ["deleted", 404],
  ["regenerated", { epoch: "f", cues: [{ start: 1 }], seq: 8 }],
]) {
  timed(`a stream that was ${why} has no late cues`, async () => {
    const { late, asked, taken } = lateCues([answer]);
    late.run(true);
    await pass(60);
    late.run(false);
    late.run(true);
    await pass(60);
    late.run(false);
    assert.equal(asked.length, 1);
    assert.deepEqual(taken, []);
  });
}
