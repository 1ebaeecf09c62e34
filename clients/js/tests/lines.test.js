import assert from "node:assert/strict";
import { test } from "node:test";

import { CueList } from "../dist/cues/list.js";
import { Lines, clean, partsOf } from "../dist/element/lines.js";
import { randomOf } from "./random.js";

const words = (text, start = 0) => text.split(" ").map((part, index) => ({ start: start + index / 2, end: start + index / 2 + 0.4, text: part, kind: "word" }));
const textOf = ({ parts }) => parts.map(({ text }) => text).join("");
const linesOf = (cues) => {
  const list = new CueList();
  list.take(cues);
  const lines = new Lines();
  lines.update(list.cues, 0, Infinity);
  return lines.all;
};

test("words are marked in their sentence, whatever is between them", () => {
  const marked = (sentence, text) => partsOf(sentence, words(text)).map(({ text: part, cue }) => (cue === null ? part : `[${part}]`)).join("");
  assert.equal(marked("“A cat, and a dog.”", "A cat, and a dog."), "“[A] [cat,] [and] [a] [dog.]”");
  assert.equal(marked("A cat and a dog.", "cat a dog"), "A [cat] and [a] [dog].");
  assert.equal(marked("A cat.", "dog cat"), "A [cat].");
  assert.equal(marked("今天天气", "今天 天气"), "[今天][天气]");
  assert.equal(marked("It cost twenty.", "It cost 20 x"), "[It] [cost] twenty.");
  assert.equal(marked("", "a"), "");
});

test("sentences are lines with their words, and other words are lines by themselves", () => {
  const lines = linesOf([
    { start: 0, end: 2, text: "One two.", kind: "sentence" },
    ...words("One two."),
    ...words("and more. Then ( this ) is , it", 10),
    ...words("later", 30),
    { start: 40, text: "No kind" },
    { start: 41, text: "not shown", kind: "chapter" },
    { start: 42, text: " ", kind: "sentence" },
    ...words("kind No kind", 45),
  ]);
  assert.deepEqual(lines.map(textOf), ["One two.", "and more.", "Then (this) is, it", "later", "No kind"]);
  const later = linesOf([...words("One two."), { start: 0, end: 2, text: "One, two.", kind: "sentence" }]);
  assert.deepEqual(later.map(textOf), ["One, two."]);
  assert.deepEqual(lines[0].parts.map(({ cue }) => cue?.text ?? null), ["One", null, "two."]);
});

test("many words without a full stop are divided, and text is on one line without what disturbs", () => {
  assert.deepEqual(linesOf(words(Array(100).fill("a").join(" "))).map(({ parts }) => parts.filter(({ cue }) => cue !== null).length), [40, 40, 20]);
  assert.equal(clean("a\nb\u202ec\u0000 "), "a b c");
});

test("the line at a time", () => {
  const list = new CueList();
  list.take([{ start: 1, text: "a" }, { start: 2, text: "b" }]);
  const lines = new Lines();
  lines.update(list.cues, 0, 2);
  assert.deepEqual([0.9, 1, 1.9, 2, 99].map((seconds) => lines.indexAt(seconds)), [-1, 0, 0, 1, 1]);
});

test("in whatever order cues come and change, the lines are the same as from scratch", () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const random = randomOf(seed);
    const pick = (count) => Math.floor(random() * count);
    const list = new CueList();
    const lines = new Lines();
    const shown = [];
    for (let step = 0; step < 30; step += 1) {
      const { added, replaced } = list.take(
        Array.from({ length: 1 + pick(8) }, () => {
          const start = pick(120) / 4;
          const kind = ["word", "word", "word", "sentence", "chapter", undefined][pick(6)];
          const end = pick(2) === 0 ? {} : { end: start + pick(20) / 4 };
          return { id: `c${pick(60)}`, start, kind, text: ["a", "b.", "c d", ""][pick(4)], ...end };
        }),
      );
      const starts = [...added, ...replaced.flatMap(({ before, after }) => [before, after])].map(({ start }) => start);
      let from = Math.min(...starts);
      const to = Math.max(...starts);
      if (starts.length === 0) continue;
      for (let rounds = 0; from !== null; rounds += 1) {
        const { index, removed, added: fresh, rest } = lines.update(list.cues, from, to, pick(3) === 0 ? Infinity : 1 + pick(10));
        assert.deepEqual(shown.splice(index, removed.length, ...fresh), removed);
        assert.ok(rest === null || rest > from || rounds < 100);
        from = rest;
      }
      const scratch = new Lines();
      scratch.update(list.cues, 0, Infinity);
      assert.deepEqual(lines.all, scratch.all, `seed ${seed}, step ${step}`);
      assert.deepEqual(shown, lines.all);
    }
  }
});

test("what comes at the end changes the last lines only", () => {
  const list = new CueList();
  const lines = new Lines();
  for (let number = 0; number < 2000; number += 1) {
    const { start } = list.take([{ start: number, text: "a.", kind: "word" }]).added[0];
    const { removed, added, rest } = lines.update(list.cues, start, start);
    assert.ok(removed.length <= 2 && added.length <= 3 && rest === null);
  }
  const { removed, added } = lines.update(list.take([{ start: 1000.5, text: "b.", kind: "word" }]) && list.cues, 1000.5, 1000.5);
  assert.ok(removed.length <= 3 && added.length <= 4);
});
