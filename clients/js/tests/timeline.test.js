import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { secondsIn } from "../dist/timeline/points.js";
import { Timeline } from "../dist/timeline/timeline.js";
import { clip, lameClip, missing, packets, source, withSeekTable, withVbri } from "./header-clips.js";
import { randomOf } from "./random.js";

const PIECE = 4096;
const withFfmpeg = { skip: missing("ffmpeg", "ffprobe") };
const withLame = { skip: missing("ffmpeg", "ffprobe", "lame") };

/** Appends the bytes from one offset to another. */
function feed(timeline, bytes, from, to = bytes.length) {
  for (let at = from; at < to; at += PIECE) timeline.append(bytes.subarray(at, Math.min(to, at + PIECE)));
}

/** Returns a timeline that received the first bytes of a complete file. */
function started(bytes, { timed = false, received = 2 * PIECE, growing = false } = {}) {
  const timeline = new Timeline(timed);
  if (!growing) timeline.setTotal(bytes.length);
  feed(timeline, bytes, 0, received);
  return timeline;
}

function assertNear(actual, expected, tolerance, what = "") {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual} instead of ${expected} ± ${tolerance}`);
}

/** Asserts that seeks land within `tolerance` seconds of what was asked for, wherever it is. */
function assertSeeks(timeline, truth, times, tolerance) {
  for (const seconds of times) assertNear(secondsIn(truth, timeline.byteAt(seconds)), seconds, tolerance, "seek");
}

const every = (step, from, to) => Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);

describe("MP3 with a variable bit rate and a silent head", withLame, () => {
  const [seconds, silence] = [160, 40];
  const bytes = withLame.skip ? null : lameClip(source(seconds, silence), "vbr.mp3");
  const truth = withLame.skip ? null : packets("vbr.mp3");
  const plain = withLame.skip ? null : lameClip(source(seconds, silence), "plain.mp3", { pipe: true });

  test("its Xing header tells the duration and where to seek", () => {
    const timeline = started(bytes);
    assertNear(timeline.totalSeconds, seconds, seconds / 100);
    assertSeeks(timeline, truth, every(1, 1, seconds), 1);
    assertNear(timeline.secondsAt(bytes.length), seconds, 0.1);
  });

  test("the same from ffmpeg, behind an ID3 tag", () => {
    const tagged = clip(source(seconds, silence), "tagged.mp3", "-c:a", "libmp3lame", "-q:a", "4", "-metadata", "comment=" + "x".repeat(20_000));
    const timeline = started(tagged, { received: 28_000 });
    assertNear(timeline.totalSeconds, seconds, seconds / 100);
    assertSeeks(timeline, packets("tagged.mp3"), every(1, 1, seconds), 1);
  });

  test("while it grows its duration is unknown, and what was received is exact", () => {
    const timeline = started(plain, { growing: true, received: plain.length / 2 });
    assert.equal(timeline.totalSeconds, null);
    const [bytesAt, end] = [timeline.byteAt(silence + 5), timeline.secondsAt(plain.length / 2)];
    assertNear(secondsIn(truth, bytesAt), silence + 5, 0.3);
    assertNear(end, secondsIn(truth, plain.length / 2), 0.3);
    assert.ok(timeline.isExact(silence) && !timeline.isExact(end + 10));
  });

  test("without a Xing header, the duration is corrected as more is known", () => {
    const errors = [];
    const timeline = new Timeline(false);
    timeline.setTotal(plain.length);
    for (let at = 0; at < plain.length; at += PIECE) {
      feed(timeline, plain, at, Math.min(plain.length, at + PIECE));
      if (timeline.totalSeconds !== null) errors.push(Math.abs(timeline.totalSeconds - seconds) / seconds);
    }
    assert.ok(errors[0] > 0.8, "misled by the silence");
    assert.ok(errors[errors.length >> 1] < 0.2);
    assertNear(errors.at(-1), 0, 0.01);
    assertSeeks(timeline, truth, every(1, 1, seconds), 0.3);
  });

  test("without a Xing header, a seek that was estimated corrects the estimate of the next ones", () => {
    const timeline = started(plain, { received: plain.length / 12 });
    const estimate = timeline.totalSeconds;
    assert.ok(estimate > 1.8 * seconds);
    const offset = timeline.byteAt(estimate / 2);
    timeline.restart(offset, estimate / 2);
    feed(timeline, plain, offset, offset + plain.length / 5);
    assert.ok(timeline.totalSeconds < estimate * 0.8);
    // What is heard keeps its time.
    assertNear(timeline.secondsAt(offset), estimate / 2, 0.1);
    const back = timeline.byteAt(100);
    assertNear(secondsIn(truth, back), 100, 15); // The first estimate was 35 s off.
    timeline.restart(back, 100);
    feed(timeline, plain, back, back + plain.length / 20);
    assertNear(timeline.totalSeconds, seconds, 30); // It was 318 s at first.
    assertSeeks(timeline, truth, [5, 10, 20], 0.3);
  });

  test("a header of another file is dropped", () => {
    const [half, twice] = [bytes.subarray(0, bytes.length / 2), new Uint8Array([...bytes, ...bytes])];
    assert.equal(started(half).totalSeconds, null);
    const doubled = started(twice);
    assert.equal(doubled.totalSeconds, null);
    feed(doubled, twice, 2 * PIECE);
    assertNear(doubled.totalSeconds, 2 * seconds, 1);
  });

  test("a header of the first of several files that grow is dropped when its end has passed", () => {
    const twice = new Uint8Array([...bytes, ...bytes]);
    const timeline = started(twice, { growing: true, received: twice.length });
    assertNear(timeline.secondsAt(twice.length), 2 * seconds, 1);
    timeline.setTotal(twice.length);
    assertNear(timeline.totalSeconds, 2 * seconds, 1);
  });
});

describe("MP3 with a constant bit rate", withFfmpeg, () => {
  const options = ["-c:a", "libmp3lame", "-b:a", "64k"];

  test("the header says where to seek", () => {
    const timeline = started(clip(source(60), "cbr.mp3", ...options));
    assertNear(timeline.totalSeconds, 60, 0.1);
    assertSeeks(timeline, packets("cbr.mp3"), every(1, 1, 60), 0.1);
  });

  test("without a header it is measured", () => {
    const bytes = clip(source(60), "bare.mp3", ...options, "-write_xing", "0");
    const timeline = started(bytes, { received: 8000 * 10 });
    assert.equal(timeline.totalSeconds, null);
    assertSeeks(timeline, packets("bare.mp3"), every(1, 1, 60), 0.1);
    feed(timeline, bytes, 8000 * 10, 8000 * 25);
    assertNear(timeline.totalSeconds, 60, 0.1);
  });

  for (const [name, ...format] of [["bare.mp3", ...options, "-write_xing", "0"], ["bare.aac", "-c:a", "aac", "-b:a", "64k", "-f", "adts"]]) {
    test(`its first frames tell at which second another part starts (${name})`, () => {
      const bytes = clip(source(60), name, ...format);
      const offset = bytes.length / 2;
      const timeline = new Timeline(false);
      assert.equal(timeline.secondsAt(offset), null);
      timeline.readHeader(bytes.subarray(0, 64 * 1024));
      const seconds = timeline.secondsAt(offset);
      assertNear(seconds, secondsIn(packets(name), offset), 1);
      timeline.restart(offset, seconds);
      feed(timeline, bytes, offset);
      assertNear(timeline.secondsAt(bytes.length), 60, 1);
      assertSeeks(timeline, packets(name), [2, 5], 0.1);
      assertSeeks(timeline, packets(name), [20, 50], 1);
    });
  }

  test("ADTS is measured as well", () => {
    const bytes = clip(source(60), "clip.aac", "-c:a", "aac", "-b:a", "64k", "-f", "adts");
    const timeline = started(bytes);
    feed(timeline, bytes, 2 * PIECE);
    assertNear(timeline.totalSeconds, 60, 0.1);
    assertNear(timeline.measuredSeconds, 60, 0.1);
  });
});

/** Asserts that seeks go to where decoding can start, no more than `early` seconds before what was asked for. */
function assertSteps(timeline, truth, times, early) {
  for (const asked of times) {
    const offset = timeline.byteAt(asked);
    const { seconds } = truth.find((packet) => packet.offset >= offset);
    assert.ok(seconds <= asked + 0.05 && seconds > asked - early, `${seconds} instead of ${asked}`);
  }
}

describe("MP3 with a VBRI header", withFfmpeg, () => {
  test("the header says where to seek", () => {
    const bytes = clip(source(60, 20), "bare.mp3", "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0");
    const truth = packets("bare.mp3");
    const timeline = started(withVbri(bytes, truth));
    assertNear(timeline.totalSeconds, 60, 0.1);
    for (const seconds of every(1, 1, 60)) assertNear(secondsIn(truth, timeline.byteAt(seconds) - 1044), seconds, 1);
  });
});

describe("containers", withFfmpeg, () => {
  const fragments = ["-c:a", "aac", "-b:a", "64k", "-frag_duration", "1000000", "-movflags"];
  const flags = "frag_keyframe+empty_moov+default_base_moof";
  const opus = ["-c:a", "libopus", "-b:a", "32k", "-cluster_time_limit", "2000"];

  test("fragmented MP4 with an index", () => {
    const timeline = started(clip(source(60), "sidx.mp4", ...fragments, flags + "+global_sidx"), { timed: true });
    assertNear(timeline.totalSeconds, 60, 0.1);
    assertSteps(timeline, packets("sidx.mp4"), every(1, 1, 60), 1.1);
  });

  for (const [name, option] of [["plain.mp4", flags], ["samples.mp4", "frag_keyframe"], ["dash.mp4", "dash+frag_keyframe"]]) {
    test(`fragmented MP4 without an index of all (${name})`, () => {
      const bytes = clip(source(60), name, ...fragments, option);
      const timeline = started(bytes, { timed: true });
      assert.equal(timeline.totalSeconds, null);
      feed(timeline, bytes, 2 * PIECE, bytes.length / 2);
      assertNear(timeline.totalSeconds, 60, 0.6);
      assertSteps(timeline, packets(name), every(1, 2, 28), 2.2);
      const offset = timeline.byteAt(50);
      timeline.restart(offset, 50);
      feed(timeline, bytes, offset, bytes.length);
      assertSteps(timeline, packets(name), every(1, 52, 59), 2.2);
    });
  }

  test("WebM with its cues in front", () => {
    const bytes = clip(source(60), "front.webm", ...opus, "-cues_to_front", "1");
    const timeline = started(bytes, { timed: true });
    assertNear(timeline.totalSeconds, 60, 0.1);
    assertSteps(timeline, packets("front.webm"), every(1, 1, 59), 6);
    feed(timeline, bytes, 2 * PIECE, bytes.length / 2);
    assertSteps(timeline, packets("front.webm"), every(1, 1, 29), 2.1);
  });

  test("WebM without cues, with and without a duration", () => {
    for (const [name, options, total] of [["back.webm", [], 60], ["live.webm", ["-live", "1"], null]]) {
      const bytes = clip(source(60), name, ...opus, ...options);
      const timeline = started(bytes, { timed: true });
      assert.equal(timeline.totalSeconds === null ? null : Math.round(timeline.totalSeconds), total);
      feed(timeline, bytes, 2 * PIECE, bytes.length / 2);
      assertNear(timeline.totalSeconds, 60, 2);
      assertSteps(timeline, packets(name), every(1, 1, 29), 5.1);
    }
  });

  test("FLAC with a seek table, whose frames are measured elsewhere", () => {
    const plain = clip(source(30), "clip.flac", "-c:a", "flac");
    const truth = packets("clip.flac");
    const bytes = withSeekTable(plain, truth);
    const moved = truth.map(({ offset, seconds }) => ({ offset: offset + bytes.length - plain.length, seconds }));
    const timeline = started(bytes, { timed: true, received: 20_000 });
    assertNear(timeline.totalSeconds, 30, 0.01);
    assertSteps(timeline, moved, every(1, 1, 29), 2.1);
    for (const { offset, seconds } of moved.slice(0, moved.length / 2)) timeline.measured(offset, seconds);
    assertSteps(timeline, moved, every(1, 1, 14), 1.2);
    assertNear(timeline.totalSeconds, 30, 0.01);
  });

  test("timestamps that start elsewhere", () => {
    const bytes = clip(source(30), "late.webm", ...opus, "-cues_to_front", "1", "-output_ts_offset", "3600");
    const timeline = new Timeline(true, 3600);
    timeline.setTotal(bytes.length);
    feed(timeline, bytes, 0);
    const truth = packets("late.webm").map(({ offset, seconds }) => ({ offset, seconds: seconds - 3600 }));
    assertNear(timeline.totalSeconds, 30, 0.3);
    assertSteps(timeline, truth, every(1, 1, 29), 5.1);
  });

  test("a header that was read before another part", () => {
    const bytes = clip(source(20), "short.webm", ...opus);
    const timeline = new Timeline(true);
    timeline.readHeader(bytes.subarray(0, 600));
    timeline.restart(30_000, 8);
    feed(timeline, bytes, 30_000);
    assertNear(timeline.secondsAt(bytes.length - 100), 20, 2.5);
  });
});

/** Returns a copy of the first bytes, of which some are others. */
function damaged(file, random) {
  const bytes = Buffer.from(file.subarray(0, 3000 + random() * (Math.min(file.length, 50_000) - 3000)));
  for (let changes = 1 + random() * 8; changes > 0; changes -= 1) {
    const at = Math.floor(random() * (random() < 0.7 ? 1200 : bytes.length));
    if (random() < 0.5) bytes.fill(random() < 0.5 ? 0xff : 0, at, Math.min(bytes.length, Math.floor(at + random() * 9)));
    else bytes[at] ^= 1 << (random() * 8);
  }
  return bytes;
}

test("damaged headers neither throw nor give impossible answers", withFfmpeg, () => {
  const bare = clip(source(8), "bare.mp3", "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0");
  const flac = clip(source(8), "bare.flac", "-c:a", "flac");
  const fragments = ["-c:a", "aac", "-frag_duration", "1000000", "-movflags", "frag_keyframe+empty_moov+global_sidx"];
  const files = [
    [false, clip(source(8), "damaged.mp3", "-c:a", "libmp3lame", "-q:a", "4")],
    [false, withVbri(bare, packets("bare.mp3"))],
    [true, clip(source(8), "damaged.mp4", ...fragments)],
    [true, clip(source(8), "damaged.webm", "-c:a", "libopus", "-cues_to_front", "1")],
    [true, withSeekTable(flac, packets("bare.flac"))],
  ];
  const random = randomOf(1);
  for (let index = 0; index < 200 * files.length; index += 1) {
    const [timed, file] = files[index % files.length];
    const bytes = damaged(file, random);
    const timeline = started(bytes, { timed, growing: random() < 0.3, received: bytes.length });
    timeline.decoded(bytes.length, 1 + random() * 100);
    for (const value of [0, 1, 100, 5000, 1e9]) {
      const [offset, seconds] = [timeline.byteAt(value), timeline.secondsAt(value)];
      assert.ok(offset === null || (Number.isInteger(offset) && offset >= 0), `${index}: ${offset}`);
      assert.ok(seconds === null || (Number.isFinite(seconds) && seconds >= 0), `${index}: ${seconds}`);
    }
    assert.ok(timeline.totalSeconds === null || timeline.totalSeconds > 0);
  }
});

describe("formats that only the decoder reads", () => {
  test("the rate is measured from the first audio, and follows changes", () => {
    const timeline = new Timeline(true);
    timeline.decoded(1_000_000, 0.02); // a picture
    assert.equal(timeline.bytesPerSecond, null);
    for (let seconds = 1; seconds <= 100; seconds += 1) timeline.decoded(1_000_000 + 16_000 * seconds, seconds + 0.02);
    assert.equal(Math.round(timeline.bytesPerSecond), 16_000);
    assert.equal(timeline.byteAt(200.02), 1_000_000 + 3_200_000);
    assert.equal(Math.round(timeline.secondsAt(1_000_000 + 3_200_000)), 200);
    let bytes = 2_600_000;
    for (let seconds = 101; seconds <= 140; seconds += 1) timeline.decoded((bytes += 8000), seconds + 0.02);
    assert.equal(Math.round(timeline.bytesPerSecond), 8000);
  });

  test("a first, rough rate is that since the start", () => {
    const timeline = new Timeline(false);
    timeline.restart(1000, 10);
    timeline.beginDecoding(1000, 10);
    timeline.decoded(9000, 12);
    assert.equal(timeline.bytesPerSecond, 4000);
    assert.equal(timeline.byteAt(13), 13_000);
  });

  test("a restart keeps the rate", () => {
    const timeline = new Timeline(true);
    timeline.decoded(0, 0);
    timeline.decoded(16_000, 1);
    timeline.restart(100_000, 50);
    assert.equal(timeline.bytesPerSecond, 16_000);
    timeline.decoded(100_000, 50);
    assert.equal(timeline.byteAt(51), 116_000);
  });

  test("nothing is known at first", () => {
    const timeline = new Timeline(false);
    timeline.setTotal(1000);
    assert.deepEqual([timeline.byteAt(1), timeline.secondsAt(1), timeline.totalSeconds, timeline.bytesPerSecond], [null, null, null, null]);
    assert.deepEqual([timeline.byteAt(0), timeline.secondsAt(0)], [null, null]);
    assert.equal(timeline.measuredSeconds, 0);
  });
});
