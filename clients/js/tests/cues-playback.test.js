import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { mock, test } from "node:test";

import { Tokens } from "../dist/access.js";
import { CueList } from "../dist/cues/list.js";
import { TextTracks } from "../dist/cues/text_tracks.js";
import { Playback } from "../dist/playback.js";
import { FakeAudio } from "./fake_audio.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

globalThis.VTTCue = class {
  id = "";
  constructor(startTime, endTime, text) {
    Object.assign(this, { startTime, endTime, text });
  }
};

/** An audio element with text tracks. */
class Audio extends FakeAudio {
  playbackRate = 1;
  textTracks = [];

  addTextTrack(kind, label) {
    const cues = [];
    const track = { kind, label, mode: "hidden", cues, addCue: (cue) => cues.push(cue), removeCue: (cue) => cues.splice(cues.indexOf(cue), 1) };
    this.textTracks.push(track);
    return track;
  }
}

/** A playback of stream `s`, which the element plays by its URL, and its server. */
function play(options = { cues: true }, audio = new Audio()) {
  const [sent, heard, changes] = [[], [], []];
  let user;
  let channel;
  const connections = {
    open(_namespace, opened) {
      user = opened;
      channel = { connected: false, emit: (event, payload) => sent.push([event, payload]), close: () => undefined };
      return channel;
    },
  };
  const playback = new Playback(connections, "s", audio, { audio: () => "https://asf.example/s", cues: () => "https://asf.example/cues/s" }, options, new Tokens());
  playback.on("cue", ({ cue, state }) => heard.push(`${state} ${cue.id}`));
  playback.on("cues", (change) => changes.push(change));
  return {
    playback,
    audio,
    sent,
    heard,
    changes,
    connect() {
      channel.connected = true;
      user.connected();
    },
    lose() {
      channel.connected = false;
      user.disconnected();
    },
    start: (offset = 0) =>
      user.received("audio_control", [
        { event: "start_of_stream", stream_id: "s", offset, epoch: "e", total_bytes: 1000, chunk_size: 10, content_type: "audio/flac" },
      ]),
    cues: (cues, seq = cues.length, more = {}) => user.received("stream_cues", [{ stream_id: "s", epoch: "e", cues, seq, ...more }]),
    joins: () => sent.filter(([event]) => event === "join_stream").map(([, { cues, cues_since }]) => [cues, cues_since]),
  };
}

/** A playback that has begun. */
function begun(options, audio) {
  const all = play(options, audio);
  all.connect();
  all.start();
  all.start(Number.MAX_SAFE_INTEGER); // The element fetches the audio itself.
  all.audio.describe(60);
  return all;
}

const word = (number, more = {}) => ({ id: `w${number}`, start: number, end: number + 0.5, text: `word ${number}`, kind: "word", ...more });

test("cues are asked for when they are wanted, and on coming back only the later ones", () => {
  const plain = play({});
  plain.connect();
  plain.start();
  plain.cues([word(1)]);
  assert.deepEqual(plain.joins(), [[undefined, undefined]]);
  assert.deepEqual([plain.playback.cues, plain.playback.activeCues], [[], []]);
  plain.playback.stop();

  const { playback, connect, lose, start, cues, joins, changes } = begun();
  cues([word(1), word(0)], 2);
  cues([word(2)], 7);
  cues([word(8)], 9, { epoch: "other" });
  cues([word(8)], 9, { stream_id: "other" });
  lose();
  connect();
  assert.deepEqual(joins(), [[true, 0], [true, 7]]);
  start(Number.MAX_SAFE_INTEGER);
  cues([word(1), word(2)], 8);
  assert.deepEqual(playback.cues.map(({ id }) => id), ["w0", "w1", "w2"]);
  assert.equal(changes.length, 2);
  playback.stop();
});

test("cues are reported when they are heard, and exit with the playback", async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  const { playback, audio, cues, heard } = begun();
  try {
    const at = (seconds) => {
      now += 1000 * Math.max(0, seconds - audio.currentTime);
      audio.playTo(seconds);
    };
    cues([word(0), word(1), word(2), word(30), word(31)]);
    audio.playTo(0);
    assert.deepEqual(heard, []);
    at(0.01);
    assert.deepEqual(heard.splice(0), ["enter w0"]);
    at(1.2);
    assert.deepEqual(heard.splice(0), ["exit w0", "enter w1"]);
    assert.deepEqual(playback.activeCues.map(({ id }) => id), ["w1"]);
    // The next boundary is at 1.5.
    now += 310;
    audio.playTo(1.51);
    heard.length = 0;
    now += 500;
    Object.defineProperty(audio, "currentTime", { get: () => 2.01, set: () => undefined, configurable: true });
    mock.timers.tick(500);
    assert.deepEqual(heard.splice(0), ["enter w2"]);
    delete audio.currentTime;
    at(2.02);
    playback.seek({ seconds: 30.1 });
    assert.deepEqual(heard.splice(0), ["exit w2"]);
    for (let turn = 0; turn < 10; turn += 1) await null;
    audio.describe(60); // It has been given the URL again.
    at(30.11);
    at(30.12);
    assert.deepEqual(heard.splice(0), ["enter w30"]);
    cues([word(29, { end: 33 }), word(2, { text: "late" })]);
    assert.deepEqual(heard.splice(0), ["enter w29"]);
    playback.stop();
    assert.deepEqual(heard.sort(), ["exit w29", "exit w30"]);
    assert.equal(playback.cues.length, 6);
  } finally {
    playback.stop();
    clock.mock.restore();
    mock.timers.reset();
  }
});

test("a listener may seek when a cue enters", () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  const { playback, audio, cues, heard } = begun();
  try {
    const states = [];
    playback.on("state", (state) => states.push(state));
    playback.on("cue", ({ cue, state }) => cue.id === "w1" && state === "enter" && playback.seek({ seconds: 20 }));
    cues([word(0), word(1), { ...word(1), id: "v1" }]);
    audio.playTo(0);
    audio.playTo(0.01);
    now += 1100;
    audio.playTo(1.1);
    assert.deepEqual(heard, ["enter w0", "exit w0", "enter w1", "enter v1", "exit w1", "exit v1"]);
    assert.equal(states.at(-1), playback.state);
  } finally {
    playback.stop();
    clock.mock.restore();
    mock.timers.reset();
  }
});

test("text tracks: one of each kind, in the element's terms", () => {
  const audio = new Audio();
  const list = new CueList();
  const tracks = new TextTracks(audio, list);
  const take = (...cues) => tracks.changed(list.take(cues));
  take(word(1), word(2), { start: 1, text: "<b> & c", kind: "sentence" }, { start: 0, text: "One", kind: "chapter" }, { start: 4, kind: "image", data: { url: "x" } });
  assert.deepEqual(audio.textTracks.map(({ kind, label, mode }) => [kind, label, mode]), [
    ["chapters", "chapter", "hidden"],
    ["metadata", "word", "hidden"],
    ["captions", "sentence", "hidden"],
    ["metadata", "image", "hidden"],
  ]);
  const [chapters, words, sentences, images] = audio.textTracks.map(({ cues }) => cues);
  assert.deepEqual(words.map(({ id, startTime, endTime, text }) => [id, startTime, endTime, text]), [
    ["w1", 1, 1.5, "word 1"],
    ["w2", 2, 2.5, "word 2"],
  ]);
  assert.equal(sentences[0].text, "&lt;b&gt; &amp; c");
  assert.deepEqual([chapters[0].endTime, images[0].text], [Infinity, '{"url":"x"}']);
  take({ start: 9, text: "Two", kind: "chapter" }, word(1, { text: "<one>" }));
  assert.equal(chapters[0].endTime, 9);
  assert.deepEqual(words.map(({ text }) => text), ["word 2", "<one>"]);
  tracks.close();
  assert.deepEqual(audio.textTracks.map(({ cues, mode }) => [cues.length, mode]), Array(4).fill([0, "disabled"]));
  // An element keeps its tracks.
  const again = new TextTracks(audio, list);
  again.changed({ added: list.entries, replaced: [], moved: [] });
  assert.deepEqual(audio.textTracks.map(({ cues, mode }) => [cues.length, mode]), [[2, "hidden"], [2, "hidden"], [1, "hidden"], [1, "hidden"]]);
});

test("a backend that invents kinds does not fill an element with tracks", () => {
  const audio = new Audio();
  const list = new CueList();
  new TextTracks(audio, list).changed(list.take(Array.from({ length: 100 }, (_, number) => ({ start: number, kind: `kind ${number}` }))));
  assert.equal(audio.textTracks.length, 16);
});

test("a playback has text tracks if it is to", () => {
  const { playback, audio, cues } = begun({ cues: true, textTracks: true });
  cues([word(1)]);
  assert.equal(audio.textTracks[0].cues.length, 1);
  playback.stop();
  assert.equal(audio.textTracks[0].cues.length, 0);
  const without = begun();
  without.cues([word(1)]);
  assert.deepEqual(without.audio.textTracks, []);
  without.playback.stop();
});

test("a playback whose element is thrown away goes with its cues", async () => {
  const dropped = (() => {
    const { playback, audio, cues } = begun({ cues: true, textTracks: true });
    cues([word(1), word(2)]);
    audio.playTo(1);
    audio.playTo(1.1);
    playback.pause();
    return new WeakRef(playback);
  })();
  for (let turn = 0; turn < 20 && dropped.deref() !== undefined; turn += 1) {
    await wait(20);
    collectGarbage();
  }
  assert.equal(dropped.deref(), undefined);
});
