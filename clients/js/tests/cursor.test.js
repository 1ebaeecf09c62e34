import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamCursor } from "../dist/cursor.js";

const bytes = (from, to) => Uint8Array.from({ length: to - from }, (_, index) => from + index);

test("chunks are accepted one after another", () => {
  const cursor = new StreamCursor("s");
  assert.deepEqual(cursor.join(100, true), { stream_id: "s", offset: 0, window: 100, wait: true });
  assert.equal(cursor.start(0, "e"), true);
  assert.deepEqual(cursor.take(bytes(0, 5)), { offset: 0, bytes: bytes(0, 5) });
  assert.deepEqual(cursor.take(bytes(5, 9)), { offset: 5, bytes: bytes(5, 9) });
  assert.equal(cursor.offset, 9);
  assert.equal(cursor.received, 9);
});

test("after a lost connection it joins at the current offset and epoch", () => {
  const cursor = new StreamCursor("s");
  cursor.join(100, false);
  cursor.start(0, "e");
  cursor.take(bytes(0, 7));
  cursor.disconnected();
  assert.equal(cursor.take(bytes(7, 9)), null);
  const request = cursor.join(100, false, "token");
  assert.deepEqual(request, { stream_id: "s", offset: 7, window: 100, wait: false, epoch: "e", token: "token" });
  cursor.start(7, "e");
  assert.deepEqual(cursor.take(bytes(7, 9)).bytes, bytes(7, 9));
  assert.equal(cursor.received, 9);
});

test("chunks still in flight from before a seek are rejected", () => {
  const cursor = new StreamCursor("s");
  cursor.join(100, false);
  cursor.start(0, "e");
  cursor.take(bytes(0, 4));
  cursor.seek(50);
  assert.equal(cursor.take(bytes(4, 8)), null);
  cursor.seek(80);
  assert.equal(cursor.start(50, "e"), false);
  assert.equal(cursor.take(bytes(50, 54)), null);
  assert.equal(cursor.start(80, "e"), true);
  assert.deepEqual(cursor.take(bytes(80, 82)), { offset: 80, bytes: bytes(80, 82) });
});

test("repeated bytes are accepted once", () => {
  const cursor = new StreamCursor("s");
  cursor.join(100, false);
  cursor.start(0, "e");
  cursor.take(bytes(0, 10));
  // Two seeks to one offset, each answered.
  cursor.seek(20);
  cursor.seek(20);
  cursor.start(20, "e");
  assert.equal(cursor.take(bytes(20, 25)).offset, 20);
  cursor.start(20, "e");
  assert.equal(cursor.take(bytes(20, 24)), null);
  assert.deepEqual(cursor.take(bytes(24, 28)), { offset: 25, bytes: bytes(25, 28) });
});

test("a gap is never accepted", () => {
  const cursor = new StreamCursor("s");
  cursor.join(100, false);
  cursor.start(0, "e");
  cursor.take(bytes(0, 10));
  cursor.start(30, "e");
  assert.equal(cursor.take(bytes(30, 40)), null);
  assert.equal(cursor.offset, 10);
});
