import assert from "node:assert/strict";
import { test } from "node:test";

import { frame } from "./fake_dom.js";
import { ActiveCues } from "../dist/cues/active.js";
import { CueList, shown } from "../dist/cues/list.js";
import { Lines } from "../dist/element/lines.js";
import { Transcript } from "../dist/element/transcript.js";
import { randomOf } from "./random.js";

/** A transcript of cues, with what is heard. */
function open() {
  const list = new CueList();
  const active = new ActiveCues(list);
  const sought = [];
  const transcript = new Transcript({ cues: () => list.cues, seek: (seconds) => sought.push(seconds) });
  const pass = (transitions) => transitions.forEach((transition) => transcript.passed(transition));
  return {
    list,
    active,
    sought,
    transcript,
    element: transcript.element,
    take(...cues) {
      const change = list.take(cues);
      const detail = shown(change);
      if (detail === null) return;
      const transitions = active.changed(change);
      transcript.changed(detail);
      pass(transitions);
    },
    advance: (position) => pass(active.advance(position)),
    land: (position) => pass(active.land(position)),
    lines: () => transcript.element.all("line").map(({ textContent }) => textContent),
    lit: () => transcript.element.all("active").map(({ textContent }) => textContent),
    current: () => transcript.element.all("line").filter((line) => line.hasAttribute("aria-current")).map(({ textContent }) => textContent),
  };
}

const sentence = (number) => ({ id: `s${number}`, start: number, end: number + 1, text: `It is w${number}.`, kind: "sentence" });
const word = (number) => ({ id: `w${number}`, start: number + 0.4, end: number + 0.9, text: `w${number}`, kind: "word" });

test("it is shown as soon as there is something, and marks what is heard", () => {
  const { element, take, land, advance, lines, lit, current } = open();
  assert.equal(element.hidden, true);
  take(...[0, 1, 2].flatMap((number) => [word(number), sentence(number)]));
  land(0.5);
  assert.deepEqual(lines(), []);
  frame();
  assert.equal(element.hidden, false);
  assert.deepEqual([lines(), lit(), current()], [["It is w0.", "It is w1.", "It is w2."], ["w0"], ["It is w0."]]);
  assert.deepEqual(element.all("line").map(({ tabIndex }) => tabIndex), [0, -1, -1]);
  advance(1.2);
  assert.deepEqual([lit(), current()], [[], ["It is w1."]]);
  assert.deepEqual(element.all("line").map(({ tabIndex }) => tabIndex), [-1, 0, -1]);
  advance(1.4);
  assert.deepEqual([lit(), current()], [["w1"], ["It is w1."]]);
  assert.equal(element.all("active")[0].getAttribute("part"), "word active-word");
  advance(9);
  assert.deepEqual([lit(), current()], [[], ["It is w2."]]);
});

test("clicks play from there, and so does Enter", () => {
  const { element, take, land, sought, transcript, current } = open();
  take(sentence(0), sentence(5), word(5), { id: "c", start: 4, text: "Chapter", kind: "chapter" });
  land(0);
  frame();
  element.all("word")[0].click();
  element.all("line")[1].click();
  element.all("chapter")[0].click();
  assert.deepEqual(sought.splice(0), [5.4, 5, 4]);
  const list = element.children.find(({ name }) => name === "ol");
  const press = (key, line) => {
    const event = new Event("keydown", { cancelable: true });
    Object.defineProperties(event, { key: { value: key }, target: { value: line } });
    list.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const [first, second] = element.all("line");
  first.focus();
  assert.ok(press("ArrowDown", first));
  assert.deepEqual([first.tabIndex, second.tabIndex], [-1, 0]);
  assert.ok(press("Enter", second));
  assert.ok(!press("k", second));
  assert.deepEqual(sought, [5]);
  transcript.place(5.1);
  assert.deepEqual(current(), ["It is w5."]);
});

test("chapters are marked, replaced and cleared", () => {
  const { element, take, land, transcript } = open();
  const chapter = (id, start, text) => ({ id, start, text, kind: "chapter" });
  take(chapter("b", 10, "Two"), chapter("a", 0, "One"));
  land(11);
  frame();
  const names = () => element.all("chapter-name").map(({ textContent }) => textContent);
  const marked = () => element.all("chapter").filter((one) => one.hasAttribute("aria-current")).map(({ textContent }) => textContent);
  assert.deepEqual([names(), marked()], [["One", "Two"], ["0:10Two"]]);
  const [kept] = element.all("chapter");
  take(chapter("b", 12, "<b>Zwei</b>"), chapter("c", 5, "New"));
  frame();
  assert.deepEqual([names(), marked()], [["One", "New", "<b>Zwei</b>"], ["0:05New"]]);
  assert.equal(element.all("chapter")[0], kept);
  transcript.clear();
  assert.deepEqual([names(), element.hidden], [[], true]);
});

test("a line that changes stays the same element", () => {
  const { element, take, lines } = open();
  take({ id: "s", start: 1, text: "Interim", kind: "sentence" }, sentence(5));
  frame();
  const [line] = element.all("line");
  take({ id: "s", start: 1, text: "Corrected.", kind: "sentence" });
  frame();
  assert.equal(element.all("line")[0], line);
  assert.deepEqual(lines(), ["Corrected.", "It is w5."]);
});

test("whatever comes and is heard, it shows all lines once, in order, with what is heard", () => {
  for (let seed = 0; seed < 60; seed += 1) {
    const random = randomOf(seed);
    const pick = (count) => Math.floor(random() * count);
    const { list, active, element, take, land, lines, lit } = open();
    land(0);
    for (let step = 0; step < 20; step += 1) {
      // More than are gone through in a frame, at times.
      const count = pick(8) === 0 ? 2000 : 1 + pick(8);
      take(
        ...Array.from({ length: count }, () => {
          const start = pick(400) / 4;
          return { id: `c${pick(count === 2000 ? 3000 : 100)}`, start, end: start + pick(20) / 4, kind: ["word", "word", "sentence", "chapter"][pick(4)], text: ["a", "b.", "c d"][pick(3)] };
        }),
      );
      if (pick(2) === 0) land(pick(120));
      if (pick(2) === 0) frame();
    }
    for (let rounds = 0; rounds < 20; rounds += 1) frame();
    const scratch = new Lines();
    scratch.update(list.cues, 0, Infinity);
    assert.deepEqual(lines(), scratch.all.map(({ parts }) => parts.map(({ text }) => text).join("")), `seed ${seed}`);
    const heard = new Set(active.cues);
    const expected = scratch.all.flatMap(({ parts }) => parts.filter(({ cue }) => heard.has(cue)).map(({ text }) => text));
    assert.deepEqual(lit(), expected, `seed ${seed}`);
    assert.equal(element.all("line").filter(({ tabIndex }) => tabIndex === 0).length, 1);
  }
});
