import assert from "node:assert/strict";
import { test } from "node:test";

import { Seeks } from "../dist/seeks.js";

/** A sink with a byte rate, unless that is unknown, which buffers up to `buffered` seconds. */
function sink({ rate = null, buffered = 0 }) {
  return {
    jumps: [],
    jump(seconds) {
      if (seconds > buffered) return false;
      this.jumps.push(seconds);
      return true;
    },
    byteAt: (seconds) => (rate === null ? null : seconds * rate),
    secondsAt: (offset) => (rate === null ? null : offset / rate),
  };
}

test("a seek is remembered until it is known where to", () => {
  const seeks = new Seeks();
  assert.equal(seeks.make(sink({ rate: 100 }), true), null);
  seeks.want({ seconds: 30 });
  assert.equal(seeks.make(sink({}), true), null);
  assert.deepEqual(seeks.make(sink({ rate: 100 }), true), { offset: 3000, seconds: 30, isTimeAsked: true });
  assert.equal(seeks.make(sink({ rate: 100 }), true), null);
});

test("the last seek wins", () => {
  const seeks = new Seeks();
  for (let seconds = 1; seconds <= 60; seconds += 1) {
    seeks.want({ seconds });
    assert.equal(seeks.make(sink({}), true), null);
  }
  assert.deepEqual(seeks.make(sink({ rate: 10 }), true), { offset: 600, seconds: 60, isTimeAsked: true });
});

test("what is buffered is not fetched", () => {
  const seeks = new Seeks();
  const buffering = sink({ rate: 100, buffered: 10 });
  seeks.want({ bytes: 500 });
  assert.equal(seeks.make(buffering, true), "jumped");
  assert.deepEqual(buffering.jumps, [5]);
});

test("bytes are exact where a sink takes any", () => {
  const frames = { ...sink({ rate: 100 }), byteAt: (seconds) => Math.round(seconds * 50) * 2 };
  for (const [takesBytes, offset] of [[true, 1001], [false, 1002]]) {
    const seeks = new Seeks();
    seeks.want({ bytes: 1001 });
    assert.equal(seeks.make(frames, takesBytes).offset, offset);
  }
});

test("an offset to begin at gives way to a seek", () => {
  const seeks = new Seeks();
  seeks.want({ seconds: 7 });
  seeks.begin({ bytes: 100 });
  assert.deepEqual(seeks.make(sink({ rate: 10 }), true), { offset: 70, seconds: 7, isTimeAsked: true });
  seeks.begin({ bytes: 100 });
  assert.deepEqual(seeks.make(sink({ rate: 10 }), true), { offset: 100, seconds: 10, isTimeAsked: false });
});
