import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Tap } from "../dist/tap.js";
import { FakeAudio } from "./fake_audio.js";

const URL_OF_STREAM = "https://asf.example/s?token=1";

class FakeSource extends EventTarget {
  static types = ["audio/mp4"];
  static isTypeSupported(type) {
    return this.types.includes(type);
  }
}

class FakeManagedSource extends FakeSource {
  static types = ["audio/mp4", "audio/aac"];
  streaming = false;

  stream(isOn) {
    this.streaming = isOn;
    this.dispatchEvent(new Event(isOn ? "startstreaming" : "endstreaming"));
  }
}

const createObjectURL = URL.createObjectURL;

function withSources(sources) {
  Object.assign(globalThis, sources);
  URL.createObjectURL = () => "blob:source";
}

afterEach(() => {
  delete globalThis.MediaSource;
  delete globalThis.ManagedMediaSource;
  URL.createObjectURL = createObjectURL;
});

test("a browser with both has the plain Media Source", () => {
  withSources({ MediaSource: FakeSource, ManagedMediaSource: FakeManagedSource });
  const audio = new FakeAudio();
  const tap = new Tap(audio, () => URL_OF_STREAM);
  assert.equal(audio.src, "blob:source");
  assert.equal(tap.source.source.constructor, FakeSource);
  assert.equal(tap.source.wantsData, true);
  assert.equal(tap.isTypeSupported("audio/aac"), false);
  assert.equal(audio.disableRemotePlayback, undefined);
});

test("a managed one is fed while it says so, and while the element seeks", () => {
  withSources({ ManagedMediaSource: FakeManagedSource });
  const audio = Object.assign(new FakeAudio(), { disableRemotePlayback: false });
  const { source } = new Tap(audio, () => URL_OF_STREAM);
  let changes = 0;
  source.onchange = () => (changes += 1);
  assert.equal(audio.src, "blob:source");
  assert.equal(audio.disableRemotePlayback, true);
  assert.equal(source.isTypeSupported("audio/aac"), true);
  source.source.stream(true);
  assert.deepEqual([source.wantsData, changes], [true, 0]);
  source.source.stream(false);
  assert.deepEqual([source.wantsData, changes], [false, 1]);
  audio.seeking = true;
  audio.tell("seeking");
  source.source.stream(false);
  assert.deepEqual([source.wantsData, changes], [true, 2]);
  audio.seeking = false;
  source.source.stream(false);
  assert.deepEqual([source.wantsData, changes], [false, 3]);
  source.close();
  source.source.stream(true);
  assert.equal(changes, 3);
  assert.equal(audio.disableRemotePlayback, false);
});

test("without any, the element has the stream's URL at once", () => {
  const audio = new FakeAudio();
  const tap = new Tap(audio, () => URL_OF_STREAM);
  assert.equal(tap.source, null);
  assert.equal(tap.isLoaded, true);
  assert.equal(audio.src, URL_OF_STREAM);
  assert.equal(tap.isTypeSupported("audio/mp4"), false);
});

for (const [name, url] of [
  ["is asked for", () => Promise.resolve(URL_OF_STREAM)],
  ["is refused later", () => Promise.reject(new Error("no token"))],
  ["is refused", () => {
    throw new Error("no token");
  }],
]) {
  test(`a token that ${name} leaves the URL to the sink`, () => {
    const audio = new FakeAudio();
    const tap = new Tap(audio, url);
    assert.equal(tap.isLoaded, false);
    assert.deepEqual(audio.sources, []);
    assert.equal(tap.isPaused, false);
  });
}
