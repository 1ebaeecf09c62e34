import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "node:test";

import { FakeAudio } from "./fake_audio.js";
import { fakeServer, play } from "./fake_stream.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** Starts a stream, and plays it to `seconds`. */
async function playing(total, seconds = 5) {
  const server = fakeServer();
  const all = play(server);
  await wait(0);
  server.connect();
  server.start(total);
  all.audio.describe(total === null ? Infinity : 60);
  all.audio.playTo(seconds);
  return { server, ...all };
}

test("without Media Source the element plays in the click, and the session tells the state", async () => {
  const server = fakeServer();
  const { playback, audio, states, errors } = play(server);
  assert.equal(audio.src, "https://asf.example/s");
  assert.equal(audio.paused, false);
  assert.equal(playback.state, "connecting");
  await wait(0);
  server.connect();
  server.start();
  assert.equal(playback.output, "url");
  assert.equal(audio.sources.length, 1);
  assert.deepEqual(server.sent.at(-1), ["seek_stream", { offset: Number.MAX_SAFE_INTEGER }]);
  audio.describe(Infinity);
  audio.playTo(1);
  assert.deepEqual(states, ["buffering", "playing"]);
  assert.deepEqual(errors, []);
  playback.stop();
});

class FakeSource extends EventTarget {
  readyState = "closed";
  sourceBuffers = [];
  static isTypeSupported = () => true;
}

/** Starts a stream that an element plays through a Media Source. */
function playingByMediaSource() {
  globalThis.MediaSource = FakeSource;
  const { createObjectURL } = URL;
  URL.createObjectURL = () => "blob:source";
  const server = fakeServer("audio/mpeg");
  try {
    const all = play(server);
    server.connect();
    server.start();
    server.chunk(new Uint8Array(1000));
    all.audio.readyState = 4;
    all.audio.tell("canplay");
    return all;
  } finally {
    delete globalThis.MediaSource;
    URL.createObjectURL = createObjectURL;
  }
}

test("a fault that Media Source finds before any sound lets the element play by the URL", async () => {
  const { playback, audio, states, errors } = playingByMediaSource();
  assert.deepEqual([playback.output, states], ["mse", ["buffering", "playing"]]);
  audio.fail(3);
  await wait(0);
  assert.equal(playback.output, "url");
  assert.equal(audio.src, "https://asf.example/s");
  assert.deepEqual(errors, []);
  playback.stop();
});

test("a fault after some sound ends the playback", () => {
  const { playback, audio, errors } = playingByMediaSource();
  audio.playTo(2);
  audio.fail(3);
  assert.equal(playback.state, "failed");
  assert.deepEqual(errors, ["ASF_CLIENT_DECODE_FAILED"]);
});

test("a failure is reported when what there is was heard", async () => {
  const { server, playback, audio, errors } = await playing(null);
  server.start(null, Number.MAX_SAFE_INTEGER);
  server.fail("ASF_GENERATION_FAILED");
  assert.equal(playback.state, "playing");
  audio.end();
  assert.equal(playback.state, "failed");
  assert.deepEqual(errors, ["ASF_GENERATION_FAILED"]);
});

test("a failure before any sound is reported at once", async () => {
  const server = fakeServer();
  const { playback, errors } = play(server);
  server.connect();
  server.fail("ASF_STREAM_NOT_FOUND");
  assert.equal(playback.state, "failed");
  assert.deepEqual(errors, ["ASF_STREAM_NOT_FOUND"]);
});

test("the end gives everything back, and a seek plays on", async () => {
  const { server, playback, audio, states } = await playing(1000, 10);
  server.start(1000, Number.MAX_SAFE_INTEGER);
  server.end(1000);
  audio.playTo(60);
  // The element was started before it was known that the audio is complete.
  audio.end();
  await wait(20);
  audio.describe(60);
  assert.equal(playback.state, "ended");
  assert.ok(server.channels.every(({ closed }) => closed));
  playback.seek({ seconds: 20 });
  await wait(0);
  assert.equal(audio.currentTime, 20);
  assert.equal(audio.paused, false);
  assert.equal(playback.state, "playing");
  assert.deepEqual(states, ["buffering", "playing", "ended", "playing"]);
  playback.stop();
});

test("a seek before the stream has started is made when it has", async () => {
  const server = fakeServer();
  const { playback, audio } = play(server);
  for (let seconds = 0; seconds <= 30; seconds += 1) playback.seek({ seconds });
  playback.seek({ seconds: -5 });
  playback.seek({ seconds: 12 });
  assert.throws(() => playback.seek({ seconds: NaN }), { code: "ASF_CLIENT_INVALID_ARGUMENT" });
  await wait(0);
  server.connect();
  server.start(1000);
  assert.equal(playback.progress.currentTime, 12);
  await wait(20);
  audio.describe(60);
  assert.equal(audio.currentTime, 12);
  playback.stop();
  assert.throws(() => playback.seek({ seconds: 1 }), { code: "ASF_CLIENT_STOPPED" });
});

test("bytes of growing audio cannot be sought", async () => {
  const { playback } = await playing(null);
  assert.throws(() => playback.seek({ bytes: 100 }), { code: "ASF_CLIENT_CANNOT_SEEK" });
  playback.stop();
});

test("another playback in the element ends the first one, whatever client it is of", async () => {
  const { server, playback, audio, states } = await playing(1000);
  const other = play(fakeServer(), audio);
  assert.equal(playback.state, "ended");
  assert.equal(states.at(-1), "ended");
  assert.ok(server.channels.every(({ closed }) => closed));
  audio.tell("pause"); // Of the first one: it comes late.
  assert.equal(other.playback.state, "connecting");
  assert.equal(audio.paused, false);
  other.playback.stop();
});

test("an element that is removed pauses", async () => {
  const { playback, audio } = await playing(1000);
  audio.pause();
  assert.equal(playback.state, "paused");
  await audio.play();
  assert.equal(playback.state, "playing");
  playback.stop();
});

test("a playback goes with its element, and its session ends", async () => {
  let server;
  const dropped = await (async () => {
    const all = await playing(1000);
    all.audio.pause();
    server = all.server;
    return new WeakRef(all.audio);
  })();
  for (let turn = 0; turn < 20 && dropped.deref() !== undefined; turn += 1) {
    await wait(20);
    collectGarbage();
  }
  await wait(20);
  assert.equal(dropped.deref(), undefined);
  assert.ok(server.channels.every(({ closed }) => closed));
});
