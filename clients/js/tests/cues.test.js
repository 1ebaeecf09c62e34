import assert from "node:assert/strict";
import { test } from "node:test";

import { ActiveCues } from "../dist/cues/active.js";
import { CueClock } from "../dist/cues/clock.js";
import { cueOf } from "../dist/cues/cue.js";
import { CueList, shown } from "../dist/cues/list.js";
import { randomOf } from "./random.js";

const word = (number, more = {}) => ({ id: `w${number}`, start: number / 2, end: number / 2 + 0.4, text: `word ${number}`, kind: "word", ...more });
const names = (transitions) => transitions.map(({ cue, state }) => `${state} ${cue.id ?? cue.text}`);

test("what is not a cue is none, and the rest of a cue is dropped", () => {
  for (const sent of [null, 7, "cue", [], {}, { start: "1" }, { start: NaN }, { start: null }]) assert.equal(cueOf(sent), null);
  assert.deepEqual(cueOf({ start: 1, end: 0.5, text: 7, id: 7, kind: null, more: 1 }), { start: 1 });
  assert.deepEqual(cueOf({ start: 1, end: 1, text: "a", id: "b", kind: "c", data: null }), { start: 1, end: 1, text: "a", id: "b", kind: "c", data: null });
  assert.ok(Object.isFrozen(cueOf({ start: 1 })));
});

test("cues are kept in the order of their starts, and replaced by their id", () => {
  const list = new CueList();
  assert.deepEqual(shown(list.take([word(2), word(1), { start: 0.7, text: "x" }])).added.map(({ text }) => text), ["word 1", "x", "word 2"]);
  const before = list.cues;
  const change = shown(list.take([word(1, { text: "one" }), word(3), word(2)]));
  assert.deepEqual(change.added.map(({ id }) => id), ["w3"]);
  assert.deepEqual(change.replaced.map(({ before: one, after }) => [one.text, after.text]), [["word 1", "one"]]);
  assert.deepEqual(list.cues.map(({ text }) => text), ["one", "x", "word 2", "word 3"]);
  assert.deepEqual(before.map(({ text }) => text), ["word 1", "x", "word 2"]);
});

test("what is there already is no change", () => {
  const list = new CueList();
  list.take([word(1), { start: 3, text: "x", data: { a: [1] } }]);
  const { cues } = list;
  assert.equal(shown(list.take([word(1), { start: 3, text: "x", data: { a: [1] } }, {}])), null);
  assert.equal(shown(list.take([word(1, { text: "interim" }), word(1)])), null);
  assert.equal(list.cues, cues);
});

test("a cue without an end ends where the next one of its kind starts", () => {
  const list = new CueList();
  list.take([{ start: 1, kind: "chapter", text: "a" }, { start: 2, kind: "word" }, { start: 1, kind: "chapter", text: "b" }, { start: 9, kind: "chapter" }]);
  assert.deepEqual(list.entries.map((entry) => list.endOf(entry)), [9, 9, Infinity, Infinity]);
  const { moved } = list.take([{ start: 5, kind: "chapter", id: "c" }]);
  assert.deepEqual(moved.map(({ cue }) => cue.text), ["a", "b"]);
  assert.deepEqual(list.entries.map((entry) => list.endOf(entry)), [5, 5, Infinity, 9, Infinity]);
});

test("cues enter and exit in the order in which they are heard", () => {
  const list = new CueList();
  const active = new ActiveCues(list);
  list.take([word(1), word(2), { id: "point", start: 1.2, end: 1.2 }, { id: "chapter", start: 0, kind: "chapter" }]);
  assert.deepEqual(names(active.land(0)), ["enter chapter"]);
  assert.equal(active.next, 0.5);
  assert.deepEqual(names(active.advance(0.5)), ["enter w1"]);
  assert.equal(active.next, 0.9);
  assert.deepEqual(names(active.advance(1.3)), ["exit w1", "enter w2", "enter point", "exit point"]);
  assert.deepEqual(active.cues.map(({ id }) => id), ["chapter", "w2"]);
  assert.deepEqual(names(active.clear()), ["exit chapter", "exit w2"]);
});

test("nothing is reported of what was jumped over", () => {
  const list = new CueList();
  const active = new ActiveCues(list);
  list.take(Array.from({ length: 100 }, (_, number) => word(number)));
  list.take([{ id: "all", start: 0, end: 50 }]);
  active.land(1);
  assert.deepEqual(names(active.leave(30.1)), ["exit w2"]);
  assert.equal(active.next, Infinity);
  assert.deepEqual(names(active.changed(list.take([{ id: "late", start: 30, end: 31 }]))), []);
  assert.deepEqual(names(active.advance(30.2)), ["enter w60", "enter late"]);
  assert.deepEqual(names(active.land(1.1)), ["exit w60", "exit late", "enter w2"]);
});

test("late, replaced and prolonged cues", () => {
  const list = new CueList();
  const active = new ActiveCues(list);
  const take = (...cues) => names(active.changed(list.take(cues)));
  active.land(10);
  assert.deepEqual(take(word(1), { id: "now", start: 9, end: 11 }, { id: "open", start: 2, kind: "a" }), ["enter open", "enter now"]);
  assert.deepEqual(take({ id: "now", start: 9, end: 11, text: "corrected" }), ["exit now", "enter now"]);
  assert.deepEqual(take({ id: "now", start: 12, end: 13 }), ["exit now"]);
  assert.deepEqual(take({ id: "next", start: 8, kind: "a" }), ["exit open", "enter next"]);
  assert.deepEqual(take({ id: "next", start: 18, kind: "a" }), ["exit next", "enter open"]);
  assert.deepEqual(names(active.advance(20)), ["enter now", "exit now", "exit open", "enter next"]);
});

/** What is active by definition. */
function model(cues, position) {
  const end = (cue) => cue.end ?? Math.min(Infinity, ...cues.filter(({ kind, start }) => kind === cue.kind && start > cue.start).map(({ start }) => start));
  return cues.filter((cue) => cue.start <= position && position < end(cue)).map(({ id }) => id).sort();
}

test("whatever comes and is heard, the cues that have entered and not exited are those at the position", () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const random = randomOf(seed);
    const pick = (count) => Math.floor(random() * count);
    const list = new CueList();
    const active = new ActiveCues(list);
    const known = new Map();
    const entered = new Set();
    const note = (transitions) => {
      for (const { cue, state } of transitions) {
        assert.equal(entered.has(cue), state === "exit", `seed ${seed}: ${state} ${cue.id}`);
        if (state === "enter") entered.add(cue);
        else entered.delete(cue);
      }
    };
    let position = pick(20);
    note(active.land(position));
    for (let step = 0; step < 40; step += 1) {
      const action = pick(4);
      if (action < 2) {
        const cues = Array.from({ length: 1 + pick(6) }, () => {
          const start = pick(40) / 2;
          return { id: `c${pick(25)}`, start, kind: ["word", "chapter", undefined][pick(3)], ...(pick(2) === 0 ? {} : { end: start + pick(8) / 2 }) };
        });
        note(active.changed(list.take(cues)));
        for (const cue of cues) known.set(cue.id, cue);
        assert.deepEqual(list.cues.map(({ start }) => start), list.cues.map(({ start }) => start).sort((a, b) => a - b));
      } else if (action === 2) {
        const before = [...entered];
        const to = position + pick(12) / 4;
        const transitions = active.advance(to);
        note(transitions);
        // All that is between is reported, each cue where it is.
        const heard = [...known.values()].filter(({ start }) => start > position && start <= to).map(({ id }) => id);
        assert.deepEqual(transitions.filter(({ state }) => state === "enter").map(({ cue }) => cue.id).sort(), heard.sort());
        assert.ok(before.length <= known.size);
        position = to;
      } else {
        position = pick(80) / 4;
        if (pick(2) === 0) note(active.leave(position));
        note(active.land(position));
      }
      assert.deepEqual([...entered].map(({ id }) => id).sort(), model([...known.values()], position), `seed ${seed}, step ${step}`);
      assert.deepEqual(active.cues.map(({ id }) => id).sort(), [...entered].map(({ id }) => id).sort());
      assert.ok(active.next > position);
    }
  }
});

test("50,000 cues in any order", () => {
  const random = randomOf(1);
  const cues = Array.from({ length: 50_000 }, (_, number) => ({ ...word(number), ...(number % 2 === 0 ? {} : { end: undefined }) }));
  const mixed = cues.map((cue) => [random(), cue]).sort(([one], [other]) => one - other).map(([, cue]) => cue);
  for (const order of [cues, mixed]) {
    const list = new CueList();
    const active = new ActiveCues(list);
    active.land(0);
    for (let index = 0; index < order.length; index += 500) active.changed(list.take(order.slice(index, index + 500)));
    let entered = active.cues.length;
    while (active.next !== Infinity) entered += active.advance(active.next).filter(({ state }) => state === "enter").length;
    assert.equal(entered, 50_000);
    assert.deepEqual(list.cues.map(({ id }) => id), cues.map(({ id }) => id));
  }
});

/**
 * Plays at the speed that `steps` say, and looks when the clock wants to, and every 250 ms. Timers are up to `lateness` ms
 * late, and the player reports its position in steps of `grain` ms of its own time.
 */
function simulate(cues, steps, { lateness = 0, grain = 0, startup = 0 } = {}) {
  const list = new CueList();
  list.take(cues);
  const active = new ActiveCues(list);
  const clock = new CueClock();
  const reported = [];
  let [position, rate, isPlaying, looks] = [0, 1, false, 0];
  let soundAt = Infinity;
  let due = null;
  const look = (now) => {
    looks += 1;
    const seen = grain === 0 ? position : Math.floor((position * 1000) / grain) * (grain / 1000);
    const movement = clock.see({ position: seen, rate, isPlaying }, now);
    const transitions = { heard: () => active.advance(seen), moved: () => active.leave(seen), landed: () => active.land(seen), none: () => [] }[movement]();
    for (const { cue, state } of transitions) reported.push({ id: cue.id, state, now, at: position, silent: now < soundAt });
    const delay = clock.delay(active.next, now);
    due = delay === null ? null : now + delay + lateness;
  };
  let now = 0;
  for (const { seconds = 0, ...step } of steps) {
    if (step.play !== undefined) isPlaying = step.play;
    if (step.play || step.seek !== undefined) soundAt = now + startup;
    if (step.rate !== undefined) rate = step.rate;
    if (step.seek !== undefined) {
      position = step.seek;
      if (step.hint) clock.jumped();
    }
    look(now);
    for (const end = now + seconds * 1000; now < end; ) {
      now += 1;
      if (isPlaying && now >= soundAt) position += rate / 1000;
      if (now % 250 === 0 || (due !== null && now >= due)) look(now);
    }
  }
  return { reported, looks, now };
}

test("each cue enters when it is heard, at every speed", () => {
  const cues = Array.from({ length: 60 }, (_, number) => word(number));
  for (const rate of [0.5, 0.75, 1, 1.5, 2, 3]) {
    for (const shape of [{}, { lateness: 4 }, { grain: 40 }, { grain: 600 }, { startup: 300 }]) {
      const { reported, looks, now } = simulate(cues, [{ play: true, rate, seconds: 10 }], shape);
      const entered = reported.filter(({ state }) => state === "enter");
      assert.ok(entered.length > 8 * rate);
      for (const { id, at, silent } of entered) {
        const late = (at - Number(id.slice(1)) / 2) / rate;
        assert.ok(late > -0.001 && late < 0.05 + ((shape.grain ?? 0) / 1000) * Math.max(1, 1 / rate), `${id} at ${at}, speed ${rate}`);
        assert.ok(!silent);
      }
      // Two for each word, and its surroundings; not a busy loop.
      assert.ok(looks < now / 250 + 8 * reported.length + 120, `${looks} looks for ${reported.length} events`);
    }
  }
});

test("a short seek is no playing, whatever was before it", () => {
  const cues = Array.from({ length: 60 }, (_, number) => word(number));
  const pauses = Array.from({ length: 5 }, () => [{ play: true, seconds: 1 }, { play: false, seconds: 0.7 }]).flat();
  for (const isPlaying of [false, true]) {
    const steps = [...pauses, { play: isPlaying, seconds: 0.5 }, { seek: 10, seconds: 0 }, { seek: 11.05, seconds: 0.01 }];
    const entered = simulate(cues, steps, { startup: 300 }).reported.filter(({ state }) => state === "enter").map(({ id }) => id);
    for (const id of ["w10", "w19", "w20", "w21", "w22"]) assert.ok(!entered.includes(id), `${id} of ${entered}`);
  }
});

test("speed changes, pauses, stalls and seeks", () => {
  const cues = Array.from({ length: 200 }, (_, number) => word(number));
  const { reported } = simulate(
    cues,
    [
      { play: true, seconds: 3.1 }, // To 3.1.
      { rate: 3, seconds: 2 }, // To 9.1.
      { play: false, seconds: 5 },
      { play: true, rate: 1, seconds: 1 }, // To 10.1.
      { seek: 50.1, seconds: 1 }, // To 50.8, after a silence.
      { play: false, seek: 20.25, seconds: 10 },
      { play: true, seconds: 1 }, // To 20.95.
      { seek: 20.65, hint: true, seconds: 0.5 },
    ],
    { startup: 300 },
  );
  const entered = reported.filter(({ state }) => state === "enter").map(({ id }) => Number(id.slice(1)) / 2);
  const range = (from, to) => Array.from({ length: Math.round((to - from) * 2) + 1 }, (_, index) => from + index / 2);
  assert.deepEqual(entered, [...range(0, 9.5), 50, 50.5, 20, 20.5, 20.5]);
  assert.ok(reported.every(({ state, silent }) => state === "exit" || !silent));
});

test("a playhead that stands needs few looks", () => {
  const cues = Array.from({ length: 200 }, (_, number) => word(number));
  // It says that it plays, but does not: for example without a sound device.
  const stands = simulate(cues, [{ play: true, seconds: 100 }], { startup: 1e9 });
  assert.ok(stands.looks < 400 + 120, `${stands.looks}`);
  assert.deepEqual(stands.reported, []);
  const paused = simulate(cues, [{ play: true, seconds: 1 }, { play: false, seconds: 100 }]);
  assert.ok(paused.looks < 404 + 30, `${paused.looks}`);
});
