// WAV in browsers whose Media Source takes no FLAC: through Web Audio.
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, test } from "node:test";

import { FakeAudio } from "./fake_audio.js";
import { elapse as elapseIn, FakeContext, open } from "./fake_context.js";
import { fakeServer, play } from "./fake_stream.js";
import { header, noise } from "./wav-files.js";

const RATE = 8000;
const HEADER = header({ rate: RATE });
const SECOND = noise(2 * RATE);

class FakeSource extends EventTarget {
  static takesFlac = false;
  static isTypeSupported(type) {
    return this.takesFlac || !type.includes("flac");
  }
  readyState = "closed";
}

/** Playbacks, which are stopped at the end of their test. */
const started = [];

const createObjectURL = URL.createObjectURL;

beforeEach(() => {
  FakeContext.reset();
  FakeContext.needsClick = true;
  FakeSource.takesFlac = false;
  globalThis.MediaSource = FakeSource;
  URL.createObjectURL = () => "blob:source";
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
});

afterEach(() => {
  for (const playback of started.splice(0)) playback.stop();
  delete globalThis.MediaSource;
  URL.createObjectURL = createObjectURL;
});

const elapse = (seconds) => elapseIn(seconds, () => {});

/** Clicks play, and lets the stream begin long after the click. */
async function clicked(server, audio) {
  FakeContext.inClick = true;
  const all = play(server, audio);
  FakeContext.inClick = false;
  started.push(all.playback);
  await wait(10);
  server.connect();
  server.start();
  return all;
}

test("it sounds in the context that the click has started, which rests until then", async () => {
  const server = fakeServer("audio/wav");
  const { playback, errors } = await clicked(server);
  assert.deepEqual(open().map(({ state }) => state), ["suspended"]);
  server.chunk(HEADER);
  server.chunk(SECOND);
  await wait(10);
  assert.equal(playback.output, "pcm");
  assert.deepEqual(open().map(({ state }) => state), ["running"]);
  assert.equal(playback.state, "playing");
  assert.deepEqual(errors, []);
  playback.stop();
  assert.equal(open().length, 0);
});

test("what does not need it gives it back, and what cannot need it makes none", async () => {
  const server = fakeServer("audio/ogg; codecs=unknown");
  const { playback } = await clicked(server);
  server.chunk([...Array(100)].map(() => 1)); // No Ogg: it plays by the URL.
  assert.equal(playback.output, "url");
  assert.deepEqual([FakeContext.all.length, open().length], [1, 0]);
  playback.stop();
  const never = await clicked(fakeServer());
  never.playback.stop();
  assert.equal(open().length, 0);
  FakeContext.all = [];
  FakeSource.takesFlac = true;
  (await clicked(fakeServer())).playback.stop();
  delete globalThis.MediaSource; // The element itself is left WAV.
  (await clicked(fakeServer())).playback.stop();
  assert.equal(FakeContext.all.length, 0);
});

test("a click that comes later, while the stream is waited for, counts as well", async () => {
  const server = fakeServer("audio/wav");
  const { playback, errors } = play(server);
  started.push(playback);
  await wait(10);
  FakeContext.inClick = true;
  playback.resume();
  FakeContext.inClick = false;
  server.connect();
  server.start();
  server.chunk(HEADER);
  server.chunk(SECOND);
  await wait(10);
  assert.deepEqual([playback.state, errors], ["playing", []]);
});

test("a failure appears when what was received was heard, and pausing waits", async () => {
  const server = fakeServer("audio/wav");
  const { playback, states, errors } = await clicked(server);
  server.chunk(HEADER);
  server.chunk(SECOND);
  await wait(20);
  elapse(0.2);
  server.fail("ASF_GENERATION_FAILED");
  assert.deepEqual([playback.state, errors], ["playing", []]);
  playback.pause();
  assert.equal(playback.state, "paused");
  playback.resume();
  await wait(20);
  elapse(1);
  await wait(300);
  assert.equal(playback.state, "failed");
  assert.deepEqual(errors, ["ASF_GENERATION_FAILED"]);
  assert.ok(!states.includes("ended"));
  assert.equal(open().length, 0);
});

test("a failure appears at once where a seek needs what was not received", async () => {
  const server = fakeServer("audio/wav");
  const { playback, errors } = await clicked(server);
  server.chunk(HEADER);
  server.chunk(SECOND);
  await wait(20);
  elapse(0.2);
  server.fail("ASF_EPOCH_CHANGED");
  playback.seek({ seconds: 0.5 });
  assert.deepEqual(errors, []);
  playback.seek({ seconds: 30 });
  assert.deepEqual(errors, ["ASF_EPOCH_CHANGED"]);
  assert.equal(playback.state, "failed");
});

test("playing after the end starts over", async () => {
  const server = fakeServer("audio/wav");
  const { playback, states, errors } = await clicked(server);
  server.chunk(HEADER);
  server.chunk(SECOND);
  server.end(HEADER.length + SECOND.length);
  await wait(20);
  elapse(1.3);
  await wait(300);
  assert.equal(playback.state, "ended");
  FakeContext.inClick = true;
  playback.resume();
  FakeContext.inClick = false;
  server.connect();
  server.start(HEADER.length + SECOND.length, HEADER.length);
  server.chunk(SECOND);
  await wait(20);
  assert.equal(playback.state, "playing");
  assert.ok(playback.progress.currentTime < 0.2);
  assert.deepEqual(errors, []);
  assert.deepEqual(states.slice(-3), ["ended", "buffering", "playing"]);
});

test("an element that the page gives another source is the page's", async () => {
  const server = fakeServer("audio/wav");
  const { playback, audio, errors } = await clicked(server);
  server.chunk(HEADER);
  server.chunk(SECOND);
  await wait(20);
  audio.src = "https://page.example/jingle.mp3";
  audio.tell("loadstart");
  assert.equal(playback.state, "ended");
  assert.equal(audio.src, "https://page.example/jingle.mp3");
  assert.equal(open().length, 0);
  assert.deepEqual(errors, []);
  assert.ok(server.channels.every(({ closed }) => closed));
});
