import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { AsfError } from "../dist/errors.js";
import { UrlSink } from "../dist/sinks/url.js";
import { FakeAudio } from "./fake_audio.js";

const FAILED = new AsfError("ASF_GENERATION_FAILED", "The generation has failed.");
const REGENERATED = new AsfError("ASF_EPOCH_CHANGED", "The audio was regenerated.");

/** What the server has of the stream, and how it answers requests for parts of it. */
let server;
let tokens;
const realFetch = globalThis.fetch;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  server = { bytes: 1000, status: 206, asked: [] };
  tokens = 0;
  globalThis.fetch = async (url, { headers }) => {
    const { Range: range } = headers;
    server.asked.push([url, range]);
    if (server.status === 0) throw new TypeError("Failed to fetch");
    if (server.status >= 400) return Response.json({ error_code: "ASF_UNAUTHORIZED", message: "No." }, { status: server.status });
    const from = Number(/bytes=(\d+)-/.exec(range)[1]);
    if (from >= server.bytes) return new Response("", { status: 416, headers: { "Content-Range": `bytes */${server.bytes}` } });
    const body = new Uint8Array(server.bytes - from);
    return new Response(body, { status: 206, headers: { ETag: "W/1", "Content-Type": "audio/ogg" } });
  };
});

afterEach(() => {
  mock.timers.reset();
  globalThis.fetch = realFetch;
});

function start({ total = null, isExact = true, isLoaded = false, url } = {}) {
  const audio = new FakeAudio();
  const seen = { failed: [], wanted: [], sought: [], followed: 0 };
  const host = {
    changed: () => undefined,
    wanted: (playing) => seen.wanted.push(playing),
    sought: (seconds) => seen.sought.push(seconds),
    failed: (error) => seen.failed.push(error.code),
  };
  const nextUrl = url ?? (() => `https://asf.example/s?token=${(tokens += 1)}`);
  const sink = new UrlSink(audio, nextUrl, { total, isExact, isLoaded, follow: () => (seen.followed += 1) }, host);
  void sink.play();
  return { audio, sink, seen };
}

/** Lets promises settle, while time passes. */
async function pass(seconds = 0) {
  for (let past = 0; past <= seconds; past += 0.5) {
    for (let turn = 0; turn < 30; turn += 1) await new Promise((done) => setImmediate(done));
    if (past < seconds) mock.timers.tick(500);
  }
}

async function playing(options, seconds = 47) {
  const all = start(options);
  await pass();
  all.audio.describe(options?.total ? 600 : Infinity);
  all.audio.playTo(seconds);
  return all;
}

test("an element that comes back empty is paused where it was", async () => {
  for (const [total, source] of [[1000, /token=.*#t=47$/], [null, /^blob:.*#t=47$/]]) {
    const { audio, sink, seen } = await playing({ total });
    audio.empty();
    assert.equal(sink.currentTime, 47);
    assert.equal(seen.wanted.at(-1), false);
    await pass();
    assert.match(audio.src, source);
    audio.describe(600);
    assert.equal(audio.paused, true);
    await sink.play();
    assert.deepEqual([audio.paused, audio.currentTime], [false, 47]);
    sink.close();
  }
});

test("the end of a complete request is the end", async () => {
  const { audio, sink, seen } = await playing({ total: 1000 }, 600);
  assert.equal(audio.src, "https://asf.example/s?token=1");
  audio.end();
  await pass(10);
  assert.equal(sink.ended, true);
  assert.equal(audio.sources.length, 1);
  assert.deepEqual([seen.failed, seen.sought, seen.wanted.includes(false)], [[], [], false]);
});

test("the speed outlives further requests", async () => {
  const { audio } = await playing();
  audio.playbackRate = 1.5;
  audio.end();
  await pass();
  assert.match(audio.src, /^blob:/);
  assert.equal(audio.playbackRate, 1.5);
});

test("a growing stream's connection that ends is not the end: a copy continues at its place", async () => {
  const { audio, sink, seen } = await playing();
  audio.end();
  assert.equal(sink.ended, false);
  assert.equal(sink.underrun, true);
  assert.equal(sink.currentTime, 47);
  await pass();
  assert.match(audio.src, /^blob:.*#t=47$/);
  assert.equal(audio.paused, true); // It makes no sound elsewhere.
  audio.describe(60);
  assert.equal(audio.paused, false);
  assert.equal(sink.underrun, false);
  assert.deepEqual(seen.failed, []);
  sink.close();
});

/** Answers requests after so many only when the returned function is called. */
function holdAnswers(free = 0) {
  const answer = globalThis.fetch;
  let release;
  const released = new Promise((done) => (release = done));
  globalThis.fetch = async (...request) => {
    if (--free < 0) await released;
    return answer(...request);
  };
  return release;
}

test("an element that plays on after it has failed is continued at its position by then", async () => {
  const { audio, sink } = await playing();
  const release = holdAnswers();
  audio.playTo(48);
  audio.fail(2, 49); // The page was busy: the last report is older.
  await pass();
  audio.playTo(51);
  assert.equal(sink.currentTime, 51);
  release();
  await pass();
  assert.match(audio.src, /^blob:.*#t=51$/);
  sink.close();
});

test("a seek while another source is fetched wins over where the element plays on", async () => {
  const { audio, sink } = await playing();
  const release = holdAnswers();
  audio.fail(2);
  sink.jump(20);
  audio.playTo(49);
  assert.equal(sink.currentTime, 20);
  release();
  await pass();
  assert.match(audio.src, /^blob:.*#t=20$/);
  sink.close();
});

test("what becomes complete while another source is fetched continues where the element has come to", async () => {
  const { audio, sink } = await playing();
  const release = holdAnswers(1); // It answers why the request has failed.
  audio.fail(2);
  await pass();
  audio.playTo(49);
  sink.setTotal(1000);
  await pass();
  assert.match(audio.src, /token=.*#t=49$/);
  release();
  sink.close();
});

test("a seek whose request is rejected is made again to the same place", async () => {
  for (const place of [30, 300]) {
    const { audio, sink } = await playing({ total: 1000 });
    audio.isSlow = true;
    sink.jump(place);
    audio.fail(2); // The token of the last request has expired.
    await pass();
    assert.match(audio.src, new RegExp(`#t=${place}$`));
    sink.close();
  }
});

test("an element that goes to its announced duration has ended where it was last seen playing, and a little later", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  for (const [seconds, isWaiting, place] of [[0.2, false, 47.2], [0.8, false, 47.8], [9, false, 48], [9, true, 47]]) {
    const { audio, sink } = await playing();
    if (isWaiting) audio.underrun();
    now += seconds * 1000;
    audio.end(600);
    await pass();
    assert.match(audio.src, new RegExp(`^blob:.*#t=${place}$`));
    sink.close();
  }
});

test("a copy that was heard is replaced when there is more, or by the complete audio", async () => {
  const { audio, sink } = await playing();
  audio.end();
  await pass();
  audio.describe(50); // 20 bytes a second.
  audio.playTo(50);
  audio.end();
  server.bytes += 90;
  await pass(3);
  assert.equal(audio.sources.length, 2);
  server.bytes += 20;
  await pass(1);
  assert.match(audio.src, /^blob:.*#t=50$/);
  audio.describe(55);
  audio.playTo(55);
  audio.end();
  await pass(1);
  assert.equal(audio.sources.length, 3);
  sink.setTotal(1200);
  await pass();
  assert.equal(audio.src, `https://asf.example/s?token=${tokens}#t=55`);
  audio.describe(60);
  audio.playTo(60);
  audio.end();
  assert.equal(sink.ended, true);
});

test("the end of a growing stream is confirmed by its duration", async () => {
  const { audio, sink, seen } = await playing();
  sink.setTotal(1000);
  assert.equal(audio.sources.length, 1);
  audio.end();
  assert.equal(sink.ended, false);
  assert.equal(sink.underrun, false); // The state does not flicker.
  await pass();
  assert.equal(audio.src, "https://asf.example/s?token=2#t=47");
  audio.describe(47.2);
  assert.equal(sink.ended, true);
  assert.equal(audio.paused, true);
  assert.deepEqual(seen.failed, []);
  assert.equal(seen.wanted.includes(false), false);
});

test("a cut connection of what became complete meanwhile is not the end", async () => {
  const { audio, sink } = await playing();
  sink.setTotal(1000);
  audio.end();
  await pass();
  audio.describe(600);
  assert.equal(sink.ended, false);
  assert.equal(sink.currentTime, 47);
  audio.playTo(600);
  audio.end();
  assert.equal(sink.ended, true);
});

test("a failed generation is an error when the audio was heard", async () => {
  const { audio, sink, seen } = await playing();
  sink.fail(FAILED);
  assert.deepEqual(seen.failed, []);
  audio.playTo(50);
  audio.end();
  assert.deepEqual(seen.failed, ["ASF_GENERATION_FAILED"]);
  assert.equal(sink.ended, false);
  assert.equal(audio.sources.length, 1);
});

test("a failed generation is an error also where the element waits for ever", async () => {
  const { audio, sink, seen } = await playing();
  sink.fail(FAILED);
  audio.underrun();
  await pass(3);
  assert.deepEqual(seen.failed, ["ASF_GENERATION_FAILED"]);
});

test("what a failed element has dropped of a failed generation is heard", async () => {
  const { audio, sink, seen } = await playing();
  sink.fail(FAILED);
  audio.fail(2, 0); // WebKit also goes to 0.
  await pass();
  assert.match(audio.src, /^blob:.*#t=47$/);
  audio.describe(50);
  audio.playTo(50);
  assert.deepEqual(seen.failed, []);
  audio.end();
  assert.deepEqual(seen.failed, ["ASF_GENERATION_FAILED"]);
});

test("a copy that waits for more is the last one when the generation fails", async () => {
  const { audio, sink, seen } = await playing();
  audio.end();
  await pass();
  audio.describe(50);
  audio.playTo(50);
  audio.end();
  server.bytes += 10;
  await pass(1);
  sink.fail(FAILED);
  await pass(1);
  assert.match(audio.src, /^blob:.*#t=50$/);
  audio.describe(50.5);
  audio.playTo(50.5);
  audio.end();
  assert.deepEqual(seen.failed, ["ASF_GENERATION_FAILED"]);
});

test("regenerated audio is not requested again", async () => {
  const { audio, sink, seen } = await playing();
  sink.fail(REGENERATED);
  assert.deepEqual(seen.failed, []);
  audio.playTo(50);
  audio.end();
  assert.deepEqual(seen.failed, ["ASF_EPOCH_CHANGED"]);
  await pass(10);
  assert.equal(audio.sources.length, 1);
});

test("complete audio that was regenerated is not mixed with what it is now", async () => {
  const { audio, sink, seen } = await playing({ total: 1000 });
  const { followed } = seen;
  audio.fail(2); // The browser asked for more, and the bytes were others.
  await pass();
  assert.equal(seen.followed, followed + 1);
  sink.fail(REGENERATED);
  assert.deepEqual(seen.failed, ["ASF_EPOCH_CHANGED"]);
  assert.equal(audio.paused, true);
});

test("a session that fails after complete audio was requested is none of its concern", async () => {
  const { audio, sink, seen } = await playing({ total: 1000 });
  sink.fail(new AsfError("ASF_UNAUTHORIZED", "No."));
  audio.playTo(600);
  audio.end();
  assert.equal(sink.ended, true);
  assert.deepEqual(seen.failed, []);
});

test("each request has a fresh token; rejected ones are an error in the end", async () => {
  const { audio, seen } = await playing({ total: 1000 });
  server.status = 401;
  audio.fail(2);
  await pass();
  assert.equal(audio.src, "https://asf.example/s?token=3#t=47");
  assert.equal(server.asked[0][0], "https://asf.example/s?token=2");
  for (let failure = 0; failure < 3; failure += 1) {
    assert.deepEqual(seen.failed, []);
    audio.fail(4);
    await pass(2);
  }
  assert.deepEqual(seen.failed, ["ASF_UNAUTHORIZED"]);
});

test("a server that cannot be reached is asked again until it can", async () => {
  const { audio, sink, seen } = await playing({ total: 1000 });
  server.status = 0;
  for (let failure = 0; failure < 6; failure += 1) {
    audio.fail(2);
    await pass(20);
  }
  server.status = 206;
  await pass(10);
  audio.describe(600);
  audio.playTo(52);
  assert.equal(sink.currentTime, 52);
  assert.deepEqual(seen.failed, []);
  sink.close();
});

test("audio that no element decodes is an error", async () => {
  const { audio, seen } = start({ total: 1000 });
  await pass();
  for (let failure = 0; failure < 3; failure += 1) {
    audio.fail(4);
    await pass(4);
  }
  assert.deepEqual(seen.failed, ["ASF_CLIENT_DECODE_FAILED"]);
  assert.equal(audio.sources.length, 3);
});

test("a dead connection of growing audio is noticed, a slow generation is none", async () => {
  const { audio, sink } = await playing();
  audio.underrun();
  await pass(60);
  assert.equal(audio.sources.length, 1);
  for (let second = 0; second < 4; second += 1) {
    server.bytes += 100;
    await pass(1);
  }
  assert.match(audio.src, /^blob:.*#t=47$/);
  sink.close();
});

test("a dead connection of complete audio is noticed, with back-off", async () => {
  const { audio, sink } = await playing({ total: 1000 });
  audio.underrun();
  await pass(5);
  assert.equal(audio.src, "https://asf.example/s?token=2#t=47");
  await pass(6);
  assert.equal(audio.sources.length, 2);
  await pass(10);
  assert.equal(audio.sources.length, 3);
  sink.close();
});

test("an element is not left to the other dead connections of the browser's pool", async () => {
  const { audio, sink } = await playing({ total: 1000 });
  let dead = 2;
  const answer = globalThis.fetch;
  globalThis.fetch = async (url, options) => {
    if (--dead < 0) return answer(url, options);
    return new Promise((_, fail) => options.signal.addEventListener("abort", () => fail(options.signal.reason)));
  };
  audio.underrun();
  await pass(5);
  assert.equal(audio.sources.length, 1);
  await pass(2);
  assert.equal(audio.src, "https://asf.example/s?token=2#t=47");
  assert.deepEqual(server.asked, [["https://asf.example/s?token=2", `bytes=${Number.MAX_SAFE_INTEGER - 1}-`]]);
  sink.close();
});

test("a copy is fetched past the dead connections of the browser's pool", async () => {
  const { audio, sink } = await playing();
  const answer = globalThis.fetch;
  let dead = 3;
  globalThis.fetch = async (url, options) => {
    if (--dead < 0) return answer(url, options);
    return new Promise((_, fail) => options.signal.addEventListener("abort", () => fail(options.signal.reason)));
  };
  audio.end();
  await pass(4);
  assert.match(audio.src, /^blob:.*#t=47$/);
  sink.close();
});

test("an element that stands still although it has data gets the audio again, a few times", async () => {
  const { audio, sink } = await playing({ total: 1000 });
  await pass(6);
  assert.equal(audio.src, "https://asf.example/s?token=2#t=47");
  for (let look = 0; look < 30; look += 1) {
    audio.describe(600);
    await pass(10);
  }
  assert.equal(audio.sources.length, 4);
  audio.playTo(50);
  await pass(6);
  assert.equal(audio.src, "https://asf.example/s?token=5#t=50");
  sink.close();
});

test("an element that does not get to its place gets the audio again for the same place", async () => {
  const { audio, sink } = await playing({ total: 1000 });
  audio.fail(2);
  await pass();
  assert.equal(audio.src, "https://asf.example/s?token=3#t=47");
  await pass(20);
  assert.ok(audio.sources.length > 2);
  assert.match(audio.src, /#t=47$/);
  audio.fail(2);
  await pass(10);
  assert.match(audio.src, /#t=47$/);
  assert.equal(sink.currentTime, 47);
  sink.close();
});

test("a paused element is left alone", async () => {
  const { audio, sink } = await playing({ total: 1000 });
  sink.pause();
  audio.underrun();
  await pass(60);
  assert.equal(audio.sources.length, 1);
  sink.close();
});

test("growing audio is sought in a copy, and the last seek wins", async () => {
  const { audio, sink } = await playing();
  for (let seconds = 1; seconds <= 60; seconds += 1) sink.jump(seconds / 2);
  assert.equal(sink.currentTime, 30);
  await pass();
  assert.match(audio.src, /^blob:.*#t=30$/);
  assert.equal(audio.sources.length, 2);
  audio.describe(50);
  sink.jump(10);
  assert.equal(audio.currentTime, 10);
  assert.equal(audio.sources.length, 2);
  sink.close();
});

test("a seek before anything is decoded is where it starts", async () => {
  const { audio, sink } = start({ total: 1000 });
  sink.jump(30);
  await pass();
  audio.describe(600);
  assert.equal(audio.currentTime, 30);
  sink.close();
});

test("a seek after the end continues there", async () => {
  const { audio, sink } = await playing({ total: 1000 }, 600);
  audio.end();
  assert.equal(sink.ended, true);
  sink.jump(20);
  assert.equal(sink.ended, false);
  assert.equal(audio.currentTime, 20);
  assert.equal(audio.sources.length, 1);
});

test("after the end nothing keeps the element", async () => {
  const timers = mock.timers;
  const { audio, sink } = await playing({ total: 1000 }, 600);
  audio.end();
  const asked = audio.sources.length;
  timers.tick(60_000);
  await pass();
  assert.equal(audio.sources.length, asked);
  sink.close();
  assert.equal(audio.src, "");
});

test("an element that was started in the click is taken over", async () => {
  const audio = new FakeAudio();
  audio.src = "https://asf.example/s?token=tap";
  await audio.play();
  const host = { changed() {}, wanted() {}, sought() {}, failed() {} };
  const sink = new UrlSink(audio, () => "https://asf.example/s?token=later", { total: null, isExact: true, isLoaded: true, follow() {} }, host);
  await pass();
  assert.equal(audio.sources.length, 1);
  audio.fail(4); // The stream was not there yet.
  await pass();
  assert.equal(audio.src, "https://asf.example/s?token=later");
  sink.close();
});

test("another origin is requested with CORS, and the element is given back as it was", async () => {
  const { audio, sink } = await playing({ total: 1000 });
  assert.equal(audio.crossOrigin, "anonymous");
  sink.close();
  const near = start({ total: 1000, url: () => "https://page.example/asf/s" });
  await pass();
  assert.equal(near.audio.crossOrigin, null);
  near.sink.close();
});
