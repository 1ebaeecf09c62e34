import assert from "node:assert/strict";
import { test } from "node:test";

import { SegmentBuffer } from "../dist/sinks/segment_buffer.js";

/** A second of audio per byte; works until `finish`. */
class FakeBuffer extends EventTarget {
  updating = false;
  offset = 0;
  aborted = 0;
  appended = [];
  /** Seconds that are buffered: [start, end) each. */
  held = [];
  room = Infinity;
  #pending = null;

  constructor(source) {
    super();
    this.source = source;
  }

  get buffered() {
    return { length: this.held.length, start: (index) => this.held[index][0], end: (index) => this.held[index][1] };
  }

  set timestampOffset(seconds) {
    this.#check();
    this.offset = seconds;
    this.source.readyState = "open";
  }

  appendBuffer(bytes) {
    this.#check();
    const held = this.held.reduce((sum, [start, end]) => sum + end - start, 0);
    if (held + bytes.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.source.readyState = "open";
    this.#start(() => {
      const start = this.held.length > 0 ? this.held.at(-1)[1] : this.offset;
      this.held = [[this.held.length > 0 ? this.held[0][0] : start, start + bytes.length]];
      this.appended.push([...bytes]);
    });
  }

  remove(start, end) {
    this.#check();
    this.source.readyState = "open";
    this.#start(() => {
      this.held = this.held.map(([from, to]) => [Math.max(from, end), to]).filter(([from, to]) => from < to);
    });
  }

  abort() {
    if (this.source.readyState !== "open") throw new DOMException("not open", "InvalidStateError");
    this.aborted += 1;
  }

  finish() {
    const pending = this.#pending;
    this.#pending = null;
    this.updating = false;
    pending();
    this.dispatchEvent(new Event("updateend"));
  }

  finishAll() {
    while (this.#pending !== null) this.finish();
  }

  #start(work) {
    this.updating = true;
    this.#pending = work;
  }

  #check() {
    if (this.updating || this.source.readyState === "closed") throw new DOMException("busy or removed", "InvalidStateError");
  }
}

class FakeSource extends EventTarget {
  readyState = "closed";
  duration = NaN;
  ends = 0;
  sourceBuffers = [];

  open() {
    this.readyState = "open";
    this.dispatchEvent(new Event("sourceopen"));
  }

  addSourceBuffer() {
    this.sourceBuffers.push((this.buffer = new FakeBuffer(this)));
    return this.buffer;
  }

  endOfStream() {
    if (this.readyState !== "open" || this.buffer.updating) throw new DOMException("not open", "InvalidStateError");
    this.readyState = "ended";
    this.ends += 1;
  }
}

function open() {
  const source = new FakeSource();
  const attached = { source, wantsData: true };
  const told = { playhead: 0, failures: [], losses: 0, updates: 0 };
  const buffer = new SegmentBuffer(attached, "audio/mpeg", {
    playhead: () => told.playhead,
    updated: () => (told.updates += 1),
    failed: (error) => told.failures.push(error),
    lost: () => (told.losses += 1),
  });
  source.open();
  return { source, attached, told, buffer, media: source.buffer };
}

const segment = (end, ...bytes) => ({ bytes: Uint8Array.from(bytes), end });

test("segments are appended in order, and pending until then", () => {
  const { buffer, media, source } = open();
  buffer.append([segment(10, 1)]);
  buffer.append([segment(20, 2), segment(30, 3)]);
  assert.equal(buffer.pendingBytes, 30);
  media.finish();
  assert.equal(buffer.pendingBytes, 20);
  media.finish();
  buffer.end();
  assert.deepEqual(media.appended, [[1], [2, 3]]);
  assert.equal(buffer.appendedEnd, 30);
  assert.equal(source.readyState, "ended");
  assert.equal(buffer.isComplete, true);
});

test("a restart waits for what is under way, and empties the buffer first", () => {
  const { buffer, media, source } = open();
  buffer.append([segment(10, 1)]);
  buffer.restart(100, 50);
  buffer.append([segment(110, 2)]);
  assert.equal(buffer.isRestarting, true);
  assert.equal(buffer.pendingBytes, 10);
  media.finish();
  assert.equal(buffer.appendedEnd, 100);
  media.finish();
  assert.equal(buffer.isRestarting, false);
  media.finish();
  assert.deepEqual(media.held, [[50, 51]]);
  assert.equal(buffer.appendedEnd, 110);
  buffer.end();
  assert.equal(source.readyState, "ended");
  // Also after the end.
  buffer.restart(0, 0);
  media.finishAll();
  buffer.append([segment(5, 7)]);
  media.finishAll();
  assert.deepEqual(media.held, [[0, 1]]);
  buffer.end();
  assert.equal(source.ends, 2);
});

test("the last of many restarts wins", () => {
  const { buffer, media } = open();
  buffer.append([segment(10, 1)]);
  for (let seconds = 1; seconds <= 60; seconds += 1) {
    buffer.restart(seconds * 10, seconds);
    buffer.append([segment(seconds * 10 + 1, seconds)]);
  }
  media.finishAll();
  assert.deepEqual(media.held, [[60, 61]]);
  assert.deepEqual(media.appended.at(-1), [60]);
});

test("played audio is removed, and more of it when the buffer is full", () => {
  const { buffer, media, told } = open();
  media.room = 30;
  buffer.append([segment(30, ...new Array(30).fill(1))]);
  media.finish();
  buffer.append([segment(32, 2, 2)]);
  assert.equal(buffer.pendingBytes, 2);
  told.playhead = 8;
  buffer.work();
  media.finishAll();
  assert.deepEqual(media.held, [[7, 32]]);
  told.playhead = 26;
  buffer.work();
  media.finishAll();
  assert.deepEqual(media.held, [[16, 32]]);
  assert.deepEqual(told.failures, []);
});

test("nothing is appended while the browser wants no data", () => {
  const { buffer, media, attached } = open();
  attached.wantsData = false;
  buffer.append([segment(10, 1)]);
  assert.equal(media.updating, false);
  attached.wantsData = true;
  buffer.work();
  assert.equal(media.updating, true);
});

test("a source that is closed is reported once, and not touched any more", () => {
  const { buffer, source, told } = open();
  source.readyState = "closed";
  source.dispatchEvent(new Event("sourceclose"));
  buffer.append([segment(10, 1)]);
  buffer.restart(5, 5);
  buffer.end();
  assert.deepEqual([told.losses, told.failures], [1, []]);
  assert.deepEqual(buffer.ranges, []);
});

test("a source that is open already calls nobody before there is a buffer", async () => {
  const source = new FakeSource();
  source.open();
  let buffer = null;
  const host = { playhead: () => buffer.pendingBytes, updated() {}, failed: (error) => assert.fail(error), lost() {} };
  buffer = new SegmentBuffer({ source, wantsData: true }, "audio/mpeg", host);
  buffer.append([segment(10, 1)]);
  await null;
  assert.equal(source.buffer.updating, true);
});

test("a source that comes back without its buffer is lost", () => {
  const { buffer, source, media, told } = open();
  assert.equal(buffer.isLost, false);
  source.sourceBuffers = [];
  media.appendBuffer = () => assert.fail("It was removed.");
  buffer.append([segment(10, 1)]);
  buffer.setDuration(60);
  assert.deepEqual([buffer.isLost, buffer.ranges, told.failures], [true, [], []]);
});

test("what the browser refuses is reported", () => {
  const { buffer, media, told } = open();
  media.appendBuffer = () => {
    throw new DOMException("removed", "InvalidStateError");
  };
  buffer.append([segment(10, 1)]);
  assert.equal(told.failures.length, 1);
  assert.equal(told.failures[0].name, "InvalidStateError");
});
