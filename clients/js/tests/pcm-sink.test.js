import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { PcmSink } from "../dist/sinks/pcm.js";
import { elapse as elapseIn, FakeContext, open } from "./fake_context.js";
import { header, LIST, noise } from "./wav-files.js";

function fakeAudio() {
  return Object.assign(new EventTarget(), { volume: 1, muted: false, playbackRate: 1, loop: false, isConnected: false });
}

const RATE = 8000;
const HEADER = Uint8Array.from(header({ rate: RATE }));
const second = Uint8Array.from(noise(2 * RATE));

const elapse = (seconds) => elapseIn(seconds, (milliseconds) => mock.timers.tick(milliseconds));

function sinkOf({ audio = fakeAudio(), head = HEADER, started = null } = {}) {
  const events = [];
  const host = {
    changed: () => {},
    wanted: (playing) => events.push(["wanted", playing]),
    sought: (seconds) => events.push(["sought", seconds]),
    failed: (error) => events.push(["failed", error.code]),
  };
  return { sink: new PcmSink(audio, head, host, () => {}, started), audio, events };
}

mock.timers.enable({ apis: ["setInterval", "setTimeout"] });

beforeEach(() => {
  FakeContext.reset();
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
});

test("all samples are scheduled once, one after another", async () => {
  const { sink } = sinkOf();
  await sink.play();
  for (const piece of [second.subarray(0, 1001), second.subarray(1001), second, Uint8Array.from(LIST)]) sink.append(piece);
  sink.end();
  const [{ nodes }] = FakeContext.all;
  let next = nodes[0].at;
  for (const { at, offset, buffer } of nodes) {
    assert.ok(Math.abs(at - next) < 1e-9);
    assert.equal(offset, 0);
    next += buffer.duration;
  }
  const samples = nodes.flatMap(({ buffer }) => [...buffer.getChannelData(0)]);
  const view = new DataView(second.buffer);
  assert.deepEqual(samples, [0, 1].flatMap(() => Array.from({ length: RATE }, (_, index) => view.getInt16(2 * index, true) / 0x8000)));
  assert.equal(sink.ended, false);
  elapse(2.3);
  assert.equal(sink.ended, true);
  assert.equal(sink.currentTime, 2);
});

test("clips that were played leave no context and no timer behind", async () => {
  for (let clip = 0; clip < 60; clip += 1) {
    const { sink } = sinkOf();
    await sink.play();
    sink.append(second);
    sink.end();
    assert.equal(open().length, 1);
    elapse(1.3);
    assert.equal(open().length, 0);
  }
});

test("a seek after the end plays again", async () => {
  const { sink } = sinkOf();
  await sink.play();
  sink.append(second);
  sink.end();
  elapse(1.3);
  assert.equal(sink.jump(0.5), false);
  const offset = sink.byteAt(0.5);
  sink.restart(offset);
  await sink.play();
  assert.equal(sink.ended, false);
  sink.append(second.subarray(offset - HEADER.length));
  sink.end();
  elapse(0.2);
  assert.ok(sink.currentTime > 0.5 && sink.currentTime < 1);
  elapse(0.6);
  assert.equal(sink.ended, true);
  assert.equal(open().length, 0);
});

test("the element's rate counts, also within what is scheduled", async () => {
  const { sink, audio } = sinkOf();
  await sink.play();
  sink.append(second);
  sink.append(second);
  elapse(0.5);
  const before = sink.currentTime;
  audio.playbackRate = 2;
  audio.dispatchEvent(new Event("ratechange"));
  assert.ok(Math.abs(sink.currentTime - before) < 1e-9);
  elapse(0.5);
  assert.ok(Math.abs(sink.currentTime - before - 0.9) < 0.11);
});

test("volume and muted count", () => {
  const { audio } = sinkOf();
  for (const [settings, volume] of [[{ volume: 0.5 }, 0.5], [{ muted: true }, 0], [{ muted: false }, 0.5]]) {
    Object.assign(audio, settings).dispatchEvent(new Event("volumechange"));
    assert.equal(FakeContext.all[0].volume.value, volume);
  }
});

test("an element that loops starts over", async () => {
  const { sink, audio, events } = sinkOf();
  audio.loop = true;
  await sink.play();
  sink.append(second);
  sink.end();
  elapse(2);
  assert.equal(sink.ended, false);
  assert.deepEqual(events, [["sought", 0]]);
});

test("an element that is removed from its document pauses", async () => {
  const { sink, audio, events } = sinkOf({ audio: Object.assign(fakeAudio(), { isConnected: true }) });
  await sink.play();
  sink.append(second);
  elapse(0.2);
  assert.deepEqual(events, []);
  audio.isConnected = false;
  elapse(0.2);
  assert.deepEqual(events, [["wanted", false]]);
  assert.equal(FakeContext.all[0].state, "suspended");
  await sink.play();
  elapse(0.2);
  assert.deepEqual(events, [["wanted", false]]);
});

test("a browser that blocks sound is an error", async () => {
  FakeContext.isBlocked = true;
  const { sink } = sinkOf();
  let blocked = false;
  const playing = sink.play().catch((error) => (blocked = error.code));
  mock.timers.tick(2000);
  await null;
  assert.equal(blocked, false); // A busy device starts late.
  mock.timers.tick(3000);
  await playing;
  assert.equal(blocked, "ASF_CLIENT_AUTOPLAY_BLOCKED");
  navigator.userActivation = { hasBeenActive: false };
  await assert.rejects(sink.play(), { code: "ASF_CLIENT_AUTOPLAY_BLOCKED" });
});

test("playing after the end starts over, as elements do", async () => {
  const { sink, events } = sinkOf();
  await sink.play();
  sink.append(second);
  sink.end();
  elapse(0.5);
  await sink.play();
  assert.deepEqual(events, []);
  elapse(1);
  assert.equal(sink.ended, true);
  await sink.play();
  assert.deepEqual(events, [["sought", 0]]);
});

for (const [name, rate, options] of [
  ["that was started in the click", 48000, { started: true }],
  ["of another rate, where the browser has not that of the audio", 44100, { mostRate: 44100, deviceRate: 44100 }],
]) {
  test(`a context ${name} plays the audio at its pitch, without a seam between pieces`, async () => {
    Object.assign(FakeContext, options);
    const started = options.started ? new FakeContext() : null;
    const [from, seconds] = [96000, 2];
    const tone = new Uint8Array(Int16Array.from({ length: from * seconds }, (_, n) => 16000 * Math.sin((2 * Math.PI * 440 * n) / from)).buffer);
    const { sink } = sinkOf({ head: Uint8Array.from(header({ rate: from })), started });
    await sink.play();
    for (let at = 0; at < tone.length; at += 7001) sink.append(tone.subarray(at, at + 7001));
    sink.end();
    const [context] = FakeContext.all;
    assert.equal(FakeContext.all.length, 1);
    assert.equal(context.sampleRate, rate);
    assert.ok(context.nodes.length > 3);
    const samples = context.nodes.flatMap(({ buffer }) => [...buffer.getChannelData(0)]);
    assert.equal(samples.length, rate * seconds);
    const scale = 16000 / 0x8000;
    const worst = samples.slice(100, -100).reduce(
      (most, sample, index) => Math.max(most, Math.abs(sample - scale * Math.sin((2 * Math.PI * 440 * (index + 100)) / rate))), 0,
    );
    assert.ok(worst < 0.005, `${worst}`);
    elapse(seconds + 0.3);
    assert.equal(sink.ended, true);
    assert.ok(Math.abs(sink.currentTime - seconds) < 1e-9);
  });
}

test("what cannot be played is an error, and leaves no context", () => {
  const started = new FakeContext();
  assert.throws(() => sinkOf({ head: second, started }), { code: "ASF_CLIENT_DECODE_FAILED" });
  assert.equal(open().length, 0);
  FakeContext.mostRate = 0;
  assert.throws(() => sinkOf(), { code: "ASF_CLIENT_DECODE_FAILED" });
  FakeContext.mostRate = 100000;
  const { sink, events } = sinkOf();
  sink.append(Uint8Array.from([...second, ...header({ rate: 1 }), ...second]));
  assert.deepEqual(events, [["failed", "ASF_CLIENT_DECODE_FAILED"]]);
});
