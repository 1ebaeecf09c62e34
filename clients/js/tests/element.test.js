import assert from "node:assert/strict";
import { test } from "node:test";

import { aboutOf, imageUrl } from "../dist/element/about.js";
import { sizeOf } from "../dist/element/edge.js";
import { Extent } from "../dist/element/extent.js";
import { keyAction } from "../dist/element/keys.js";
import { claimMediaSession, releaseMediaSession, updateMediaSession } from "../dist/element/media-session.js";
import { viewOf, withinEnd } from "../dist/element/model.js";
import { shareClient } from "../dist/element/shared.js";
import { clock, errorText, positionText, stateText } from "../dist/element/words.js";

const BASE = "https://app.example/page";

function view(facts = {}) {
  return viewOf({
    state: "playing", hasStream: true, wanted: true, blocked: false, error: null, currentTime: 65, existingSeconds: 200,
    totalSeconds: 200, generating: false, dragged: null, ...facts,
  });
}

test("what plays can be paused", () => {
  const { action, actionLabel, status, problem, position, elapsed, duration, isLive } = view();
  assert.deepEqual([action, actionLabel, status, problem, isLive], ["pause", "Pause", "", null, false]);
  assert.deepEqual(position, { value: 65, end: 200, text: "1:05 of 3:20", enabled: true });
  assert.deepEqual([elapsed, duration], ["1:05", "3:20"]);
});

test("nothing can be sought in before anything was played", () => {
  const first = view({ state: null, wanted: false, currentTime: 0, existingSeconds: 0, totalSeconds: null });
  assert.deepEqual([first.action, first.canPlay, first.position.enabled], ["play", true, false]);
  assert.equal(first.duration, "–:––");
  assert.equal(view({ state: null, hasStream: false }).canPlay, false);
});

test("each state says what it waits for, while it is meant to play", () => {
  for (const state of ["connecting", "waiting", "buffering", "stalled"]) {
    const { status, isBusy, action } = view({ state });
    assert.notEqual(status, "");
    assert.deepEqual([isBusy, action], [true, "pause"]);
    const paused = view({ state, wanted: false });
    assert.deepEqual([paused.status, paused.isBusy, paused.action], ["", false, "play"]);
  }
  for (const state of ["playing", "paused", "ended", "failed", null]) assert.equal(stateText(state), "");
});

test("a failure is shown as a sentence, and play starts again", () => {
  const failed = view({ state: "failed", wanted: false, error: { code: "ASF_GENERATION_FAILED", message: "x" } });
  assert.deepEqual([failed.action, failed.problem], ["play", "This audio could not be completed."]);
  assert.equal(failed.position.enabled, false);
  assert.equal(view({ error: { code: "ASF_CLIENT_AUTOPLAY_BLOCKED", message: "" } }).problem, null);
  assert.equal(errorText({ code: "ASF_NEW", message: "Something new." }), "Something new.");
  assert.equal(errorText({ code: "ASF_NEW", message: "" }), "This audio cannot be played.");
});

test("blocked autoplay asks for a press", () => {
  assert.equal(view({ state: "paused", wanted: false, blocked: true }).status, "Press play to listen.");
});

test("growing audio reaches as far as it exists", () => {
  const growing = { totalSeconds: null, existingSeconds: 40, currentTime: 12, generating: true };
  const live = view(growing);
  assert.deepEqual([live.isLive, live.canGoLive], [true, true]);
  assert.deepEqual([live.position.end, live.position.text], [40, "0:12 of 0:40 so far"]);
  assert.equal(view({ ...growing, currentTime: 35 }).canGoLive, false);
  assert.equal(view({ ...growing, state: "waiting" }).isLive, false);
  assert.equal(view({ ...growing, currentTime: 41 }).position.end, 41);
});

test("what is dragged is shown where it is dragged to", () => {
  assert.deepEqual([view({ dragged: 100 }).elapsed, view({ dragged: 100 }).position.text], ["1:40", "1:40 of 3:20"]);
});

test("the end is shown at the end", () => {
  const { position, elapsed, action } = view({ state: "ended", wanted: false, currentTime: 199.9 });
  assert.deepEqual([position.value, elapsed, action], [200, "3:20", "play"]);
});

test("wishes stay within what exists", () => {
  const facts = { totalSeconds: null, existingSeconds: 40, currentTime: 12, generating: true };
  assert.deepEqual([-5, 20, 100].map((seconds) => withinEnd(seconds, facts)), [0, 20, 40]);
  const complete = { ...facts, totalSeconds: 50, generating: false };
  assert.deepEqual([20, 50, 100].map((seconds) => withinEnd(seconds, complete)), [20, 49.75, 49.75]);
  assert.equal(withinEnd(1, { ...complete, totalSeconds: 0.1 }), 0);
});

test("times are clocks", () => {
  assert.deepEqual([0, 59.9, 60, 3599, 3600, 36_061, -1].map(clock), ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01", "0:00"]);
  assert.equal(positionText(65, 200, true), "1:05 of 3:20 so far");
});

test("metadata is text, whatever it contains", () => {
  const about = aboutOf({ title: " <b>Hi</b>\n", author: "A", show: "S", cover: "/a.png" }, {}, BASE);
  assert.deepEqual(about, { title: "<b>Hi</b>", artist: "A", album: "S", artwork: "https://app.example/a.png" });
  assert.equal(aboutOf({ title: "a\u202eb\u0000c" }, {}, BASE).title, "a b c");
  assert.equal(aboutOf({ title: "x".repeat(1000) }, {}, BASE).title.length, 301);
  for (const metadata of [null, undefined, 7, "x", [], { title: 7, artist: {}, cover: 1 }]) {
    assert.deepEqual(aboutOf(metadata, {}, BASE), { title: "", artist: "", album: "", artwork: "" });
  }
});

test("attributes take precedence over metadata", () => {
  const about = aboutOf({ title: "a", artist: "b", artwork: "https://x.example/c" }, { title: "A", artwork: "/mine.png" }, BASE);
  assert.deepEqual([about.title, about.artist, about.artwork], ["A", "b", "https://app.example/mine.png"]);
});

test("covers come from the Web, or are pictures themselves", () => {
  const picture = "data:image/png;base64,AAAA";
  for (const cover of [picture, { src: picture }, [{ src: picture }, { src: "x" }]]) assert.equal(imageUrl(cover, BASE), picture);
  const refused = ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "blob:https://app.example/1", "http://[", "", " ", null, {}, []];
  for (const cover of refused) assert.equal(imageUrl(cover, BASE), "");
});

test("keys do what media players do", () => {
  const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false, ...more });
  const expected = {
    " ": "toggle", k: "toggle", K: "toggle", ArrowLeft: "back", ArrowRight: "forward", j: "skipBack", l: "skipForward",
    ArrowUp: "louder", ArrowDown: "quieter", m: "mute", Home: "start", End: "end", x: null, Enter: null, Tab: null,
  };
  for (const [key, action] of Object.entries(expected)) assert.equal(keyAction(press(key), "none"), action);
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { defaultPrevented: true }]) {
    assert.equal(keyAction(press("k", more), "none"), null);
  }
});

test("keys belong to the control that has the focus", () => {
  const press = (key) => ({ key, ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false });
  const own = { button: [" "], position: ["ArrowUp", "ArrowDown"], slider: ["ArrowUp", "ArrowLeft", "Home"], text: [" ", "k", "m", "Home"] };
  for (const [control, keys] of Object.entries(own)) {
    for (const key of keys) assert.equal(keyAction(press(key), control), null);
  }
  assert.equal(keyAction(press("k"), "button"), "toggle");
  assert.equal(keyAction(press("ArrowLeft"), "position"), "back");
  assert.equal(keyAction(press("m"), "slider"), "mute");
});

test("what exists beyond the buffer is estimated from its bytes", () => {
  const extent = new Extent();
  extent.measured(1_000_000);
  assert.equal(extent.seconds, 0);
  extent.progress({ currentTime: 0, aheadSeconds: 10, offset: 80_000 });
  assert.deepEqual([extent.seconds, extent.isOpen], [10, false]);
  extent.progress({ currentTime: 10, aheadSeconds: 30, offset: 320_000 });
  assert.deepEqual([extent.seconds, extent.isOpen], [40, true]);
  extent.measured(960_000);
  assert.equal(extent.seconds, 120);
  extent.measured(640_000); // an answer that was overtaken
  assert.equal(extent.seconds, 120);
  extent.progress({ currentTime: 5, aheadSeconds: 0, offset: 40_000 }); // after a seek
  assert.deepEqual([extent.seconds, extent.isOpen], [120, false]);
});

test("the size of audio is in Content-Range", () => {
  assert.deepEqual(sizeOf("bytes 99-99/*"), { bytes: 100, complete: false });
  assert.deepEqual(sizeOf("bytes 99-99/100"), { bytes: 100, complete: true });
  assert.deepEqual(sizeOf("bytes */100"), { bytes: 100, complete: true });
  for (const header of ["", "bytes */*", "items 0-1/2"]) assert.equal(sizeOf(header), null);
});

test("the lock screen gets no rate that browsers reject", () => {
  const told = [];
  const setPositionState = (state) => {
    if (state?.playbackRate <= 0) throw new TypeError("The rate must be positive.");
    told.push(state);
  };
  const mediaSession = { setActionHandler() {}, setPositionState, playbackState: "none", metadata: null };
  Object.defineProperty(globalThis, "navigator", { value: { mediaSession }, configurable: true });
  const target = {};
  claimMediaSession(target);
  for (const rate of [0, -1, 1.5]) updateMediaSession(target, true, { seconds: 70, end: 60, rate });
  assert.deepEqual(told, [{ duration: 60, position: 60, playbackRate: 1.5 }]);
  assert.equal(mediaSession.playbackState, "playing");
  releaseMediaSession(target);
});

test("outside browsers the element can be imported", async () => {
  const { AsfPlayerElement } = await import("../dist/element/index.js");
  assert.equal(typeof AsfPlayerElement, "function");
});

test("players of the same server and token share a client, which the last one closes", () => {
  const token = () => "t";
  const [first, second] = [shareClient("http://one.example/", token), shareClient("http://one.example/", token)];
  assert.equal(first.client, second.client);
  assert.notEqual(shareClient("http://one.example/", undefined).client, first.client);
  assert.notEqual(shareClient("http://two.example/", token).client, first.client);
  let closed = 0;
  first.client.close = () => (closed += 1);
  first.release();
  assert.equal(closed, 0);
  second.release();
  assert.equal(closed, 1);
  assert.notEqual(shareClient("http://one.example/", token).client, first.client);
});
