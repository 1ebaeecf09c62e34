import assert from "node:assert/strict";
import { test } from "node:test";

import { Credit, FIRST_WINDOW_BYTES, widerWindow } from "../dist/credit.js";

/** A server and a playhead, in steps of 100 ms; returns the most seconds ahead, and the number of underruns. */
function simulate({ bytesPerSecond, length, decodesFrom = 0, seconds }) {
  const window = FIRST_WINDOW_BYTES;
  const credit = new Credit(window);
  credit.restart(0);
  let [sent, acknowledged, played, most, underruns] = [0, 0, 0, 0, 0];
  for (let time = 0; time < seconds; time += 0.1) {
    sent = Math.max(sent, Math.min(length, acknowledged + window, sent + 40_000));
    const decoded = Math.max(0, sent - decodesFrom) / bytesPerSecond;
    const known = decoded > 0.5 ? bytesPerSecond : null;
    const aheadSeconds = decoded - played;
    most = Math.max(most, aheadSeconds);
    const next = credit.next({ received: sent, consumed: sent, aheadSeconds, bytesPerSecond: known });
    assert.ok(next === null || (next > acknowledged && next <= sent), `${next} of ${sent}`);
    acknowledged = next ?? acknowledged;
    if (aheadSeconds >= 0.1) played += 0.1;
    else if (sent < length && known !== null) underruns += 1;
  }
  return { most, underruns, played, sent };
}

for (const [name, bytesPerSecond] of [
  ["8 kbit/s", 1000],
  ["48 kbit/s", 6000],
  ["128 kbit/s", 16_000],
  ["320 kbit/s", 40_000],
]) {
  test(`half an hour at ${name} stays between 25 s and a minute ahead`, () => {
    const { most, underruns, played } = simulate({ bytesPerSecond, length: bytesPerSecond * 1800, seconds: 1790 });
    assert.ok(most <= 60, `${most} s ahead`);
    assert.ok(most >= 25, `${most} s ahead`);
    assert.equal(underruns, 0);
    assert.ok(played > 1780);
  });
}

test("a large picture before the audio does not block it", () => {
  const { played, most } = simulate({
    bytesPerSecond: 16_000,
    length: 2_000_000 + 16_000 * 60,
    decodesFrom: 2_000_000,
    seconds: 80,
  });
  assert.ok(played > 55, `${played} s`);
  assert.ok(most <= 60);
});

test("a paused playhead is granted no more credit", () => {
  const credit = new Credit(1000);
  credit.restart(0);
  const standing = { received: 31_000, consumed: 31_000, aheadSeconds: 31, bytesPerSecond: 1000 };
  const first = credit.next(standing);
  assert.ok(first === null || first + 1000 <= 31_000);
  assert.equal(credit.next(standing), null);
  assert.equal(credit.next({ ...standing, aheadSeconds: 20 }), 31_000);
});

test("pending bytes of the decoder count as ahead", () => {
  const credit = new Credit(1000);
  credit.restart(0);
  assert.equal(credit.next({ received: 1000, consumed: 0, aheadSeconds: 0, bytesPerSecond: null }), null);
  assert.equal(credit.next({ received: 1000, consumed: 1000, aheadSeconds: 0, bytesPerSecond: null }), 1000);
});

test("credit is counted from the offset of each start", () => {
  const credit = new Credit(1000);
  credit.restart(50_000);
  assert.equal(credit.next({ received: 50_000, consumed: 50_000, aheadSeconds: 0, bytesPerSecond: 1000 }), null);
  assert.equal(credit.next({ received: 51_000, consumed: 51_000, aheadSeconds: 1, bytesPerSecond: 1000 }), 51_000);
  credit.restart(0);
  assert.equal(credit.next({ received: 1000, consumed: 1000, aheadSeconds: 1, bytesPerSecond: 1000 }), 1000);
});

test("a window that is too narrow is widened once", () => {
  assert.equal(widerWindow(FIRST_WINDOW_BYTES, null), null);
  assert.equal(widerWindow(FIRST_WINDOW_BYTES, 16_000), null);
  const wider = widerWindow(FIRST_WINDOW_BYTES, 192_000);
  assert.equal(wider, 768_000);
  assert.equal(widerWindow(wider, 192_000), null);
});
