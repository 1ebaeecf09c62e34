import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler } from "../dist/wav/resampler.js";
import { random } from "./wav-files.js";

const tone = (rate, hertz, length = rate / 2) =>
  Int32Array.from({ length }, (_, index) => Math.round(20000 * Math.sin((2 * Math.PI * hertz * index) / rate)));

function resampled(samples, from, to, longest = samples.length) {
  const resampler = new Resampler(from, to, 1, 16);
  const next = random(longest);
  const result = [];
  for (let at = 0; at < samples.length; ) {
    const end = at + Math.floor(next() * (longest + 1));
    result.push(...resampler.push([samples.subarray(at, end)])[0]);
    at = end;
  }
  return Int32Array.from([...result, ...resampler.flush()[0]]);
}

const RATES = [[24000, 22050], [22050, 24000], [8000, 48000], [48000, 8000], [44100, 44101], [16000, 24000], [655350, 8000]];

test("a tone is the same tone at another rate", () => {
  for (const [from, to] of RATES) {
    const result = resampled(tone(from, 440), from, to);
    const expected = tone(to, 440, result.length);
    const worst = Math.max(...result.slice(200, -200).map((sample, index) => Math.abs(sample - expected[index + 200])));
    assert.ok(worst < 40, `${from} to ${to}: ${worst}`);
  }
});

test("what the lower rate cannot have is left out", () => {
  const result = resampled(tone(48000, 6000), 48000, 8000);
  assert.ok(Math.max(...result.slice(100, -100).map(Math.abs)) < 20);
});

test("the duration is the same, whatever the pieces", () => {
  for (const [from, to] of RATES) {
    for (const length of [1, 5, 100, 5000]) {
      const samples = tone(8000, 440, length);
      const whole = resampled(samples, from, to);
      assert.equal(whole.length, Math.round((length * to) / from), `${length} from ${from} to ${to}`);
      assert.deepEqual(resampled(samples, from, to, 37), whole);
    }
  }
});
