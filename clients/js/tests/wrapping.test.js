import CodecParser from "codec-parser";
import assert from "node:assert/strict";
import { test } from "node:test";

import { ElementaryReader } from "../dist/wrapping/elementary.js";
import { FlacReader } from "../dist/wrapping/flac.js";
import { OggReader } from "../dist/wrapping/ogg.js";
import { rewrapping } from "../dist/wrapping/wrapped.js";
import { clip, framesIn, random, samplesIn, skip } from "./clips.js";

const READERS = {
  mp3: () => new ElementaryReader("mpeg"),
  aac: () => new ElementaryReader("aac"),
  opus: () => new OggReader(CodecParser),
  vorbis: () => new OggReader(CodecParser),
  oggflac: () => new OggReader(CodecParser),
  flac: () => new FlacReader(),
};
const KINDS = Object.keys(READERS);
const WRAPPINGS = [
  ["mp3", "mpeg", "mpeg", "mp4"],
  ["aac", "aac", "aac", "mp4"],
  ["opus", "ogg", "opus", "webm"],
  ["opus", "ogg", "opus", "mp4"],
  ["vorbis", "ogg", "vorbis", "webm"],
  ["oggflac", "ogg", "flac", "mp4"],
  ["flac", "flac", "flac", "mp4"],
];
const joined = (...pieces) => new Uint8Array(Buffer.concat(pieces.map((piece) => Uint8Array.from(piece))));
const text = (string) => Uint8Array.from(string, (character) => character.charCodeAt(0));

/** Returns pieces of up to `most` bytes. */
function* pieces(bytes, next, most = 5000) {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + next(most);
    yield bytes.slice(at, at + length);
    at += length;
  }
}

function readAll(reader, bytes, next = random(1)) {
  const frames = [];
  for (const piece of pieces(bytes, next)) frames.push(...reader.read(piece));
  return [...frames, ...reader.finish()];
}

const essence = ({ data, time, samples }) => [Buffer.from(data).toString("base64"), time, samples];

async function wrap(framing, codec, container, bytes) {
  const wrapped = await rewrapping({ framing, codec, container });
  const segments = [];
  for (const piece of pieces(bytes, random(2))) segments.push(...wrapped.push(piece));
  segments.push(...wrapped.flush());
  return segments;
}

for (const [kind, framing, codec, container] of WRAPPINGS) {
  test(`${kind} in ${container} has all frames, in order, at their times`, { skip }, async () => {
    const bytes = clip(kind);
    const segments = await wrap(framing, codec, container, bytes);
    const strip = kind === "aac" ? ["-bsf:a", "aac_adtstoasc"] : [];
    const expected = framesIn(bytes, ...strip);
    const found = framesIn(joined(...segments.map((segment) => segment.bytes)));
    assert.deepEqual(found.map(({ hash }) => hash), expected.map(({ hash }) => hash));
    const [first, start] = [expected[0].seconds, found[0].seconds];
    found.forEach(({ seconds }, index) => {
      const own = expected[index].seconds - first;
      // ffmpeg counts the first packet of Vorbis, which gives no samples.
      assert.ok(Math.abs(seconds - start - own) < 0.004, `frame ${index} at ${seconds - start}, not ${own}`);
    });
    const ends = segments.map(({ end }) => end);
    assert.deepEqual(ends, ends.toSorted((one, other) => one - other));
    assert.equal(ends.at(-1), bytes.length);
    assert.ok(segments.every((segment) => segment.bytes.length < 100_000));
  });
}

for (const kind of KINDS) {
  test(`${kind} is read alike, whatever pieces it comes in`, { skip }, () => {
    const bytes = clip(kind);
    const expected = READERS[kind]();
    const whole = [...expected.read(bytes), ...expected.finish()].map(essence);
    assert.ok(whole.length > 50);
    const lengths = [1, 7, 300, 40_000];
    for (const [seed, most] of lengths.entries()) {
      const reader = READERS[kind]();
      const frames = [];
      for (const piece of pieces(bytes, random(seed), most)) frames.push(...reader.read(piece));
      assert.deepEqual([...frames, ...reader.finish()].map(essence), whole);
    }
  });

  test(`${kind} can be entered anywhere`, { skip }, () => {
    const bytes = clip(kind);
    const all = readAll(READERS[kind](), bytes);
    const next = random(3);
    for (let round = 0; round < 40; round += 1) {
      const offset = next(bytes.length);
      const reader = READERS[kind]();
      reader.read(bytes.slice(0, 20_000)); // The headers, which are known from the start.
      reader.restart(offset, 100);
      const frames = readAll(reader, bytes.slice(offset), next);
      const rest = all.filter(({ end }) => end > offset);
      const lost = rest.length - frames.length;
      // What ends in the midst of a frame or a page is not heard.
      assert.ok(lost <= (kind === "mp3" || kind === "aac" || kind === "flac" ? 3 : 80), `${lost} lost after ${offset}`);
      let time = 100;
      const suffix = all.slice(lost - rest.length).slice(0, frames.length);
      for (const [index, frame] of frames.entries()) {
        const expected = reader.exact ? suffix[index].time : time;
        // The first packet of Vorbis only prepares the next one; the last page of Opus says where it is cut.
        const tolerance = index === 0 || frames.length < 60 ? 0.025 : 1e-6;
        assert.ok(Math.abs(frame.time - expected) < tolerance, `frame ${index} at ${frame.time}, not ${expected}`);
        assert.ok(frame.end > offset && frame.end <= bytes.length);
        time += frame.samples / frame.sampleRate;
      }
      assert.deepEqual(frames.map((frame) => essence(frame)[0]), suffix.map((frame) => essence(frame)[0]));
    }
  });

  test(`${kind} one behind another is heard as one`, { skip }, () => {
    const bytes = clip(kind);
    const other = kind === "opus" || kind === "vorbis" || kind === "oggflac" ? clip(kind, "-serial_offset", "7") : bytes;
    const reader = READERS[kind]();
    const [first, second] = [readAll(READERS[kind](), bytes), readAll(READERS[kind](), other)];
    const all = readAll(reader, joined(bytes, other));
    // The last frame of MP3 may be taken for the description that follows.
    assert.ok(Math.abs(all.length - first.length - second.length) <= 1);
    let end = 0;
    for (const { time, samples, sampleRate } of all) {
      assert.ok(Math.abs(time - end) < 0.03, `a frame at ${time} after ${end}`);
      end = time + samples / sampleRate;
    }
  });

  test(`${kind} that is cut short, or is none, gives no half frames`, { skip }, () => {
    const bytes = clip(kind);
    const all = readAll(READERS[kind](), bytes).map((frame) => essence(frame)[0]);
    const next = random(4);
    for (let round = 0; round < 10; round += 1) {
      const frames = readAll(READERS[kind](), bytes.slice(0, next(bytes.length)), next).map((frame) => essence(frame)[0]);
      assert.deepEqual(frames, all.slice(0, frames.length));
    }
    const noise = Uint8Array.from({ length: 100_000 }, () => next(256));
    assert.ok(readAll(READERS[kind](), noise).length < 3);
  });
}

test("tags around MP3 are no audio, and the frame before one is heard", { skip }, () => {
  const bytes = clip("mp3");
  const cover = new Uint8Array(70_000).fill(0xff);
  const size = [cover.length >> 14, (cover.length >> 7) & 0x7f, cover.length & 0x7f]; // 7 bits a byte.
  const tagged = joined(text("ID3\x04\0\0"), [0, ...size], cover, bytes, text("TAG".padEnd(128, "x")));
  const plain = readAll(READERS.mp3(), bytes).map(essence);
  assert.deepEqual(readAll(READERS.mp3(), tagged).map(essence), plain);
  // Its first frame has no audio, but the description of the file by LAME.
  assert.equal(plain.length, framesIn(bytes).length);
});

test("a cover in the tags of Opus is no audio", { skip }, () => {
  const bytes = clip("opus");
  const tags = joined(text("OpusTags"), new Uint8Array(150_000).fill(0x41));
  const isTags = (page) => page.slice(28, 36).toString("latin1") === "OpusTags" || page.subarray(27 + page[26], 27 + page[26] + 8).toString("latin1") === "OpusTags";
  const pages = oggPages(bytes);
  const at = pages.findIndex((page) => isTags(Buffer.from(page)));
  const withCover = joined(...pages.slice(0, at), ...pagesOf(tags, pages[0]), ...pages.slice(at + 1));
  assert.deepEqual(readAll(READERS.opus(), withCover).map(essence), readAll(READERS.opus(), bytes).map(essence));
});

test("a damaged frame of FLAC costs that frame, not half a megabyte", { skip }, () => {
  const bytes = clip("flac").slice();
  const all = readAll(READERS.flac(), bytes);
  const damaged = all[20];
  bytes[damaged.end - damaged.data.length + 1] = 0; // Its header.
  const frames = readAll(READERS.flac(), bytes);
  assert.ok(frames.length >= all.length - 2);
  assert.deepEqual(frames.slice(-30).map(essence), all.slice(-30).map(essence));
});

for (const channels of [1, 2]) {
  for (const format of ["s16", "s32"]) {
    test(`FLAC of ${channels} channels in ${format} sounds as before`, { skip }, async () => {
      const bytes = clip("flac", "-ac", String(channels), "-sample_fmt", format);
      const segments = await wrap("flac", "flac", "mp4", bytes);
      assert.deepEqual(samplesIn(joined(...segments.map((segment) => segment.bytes))), samplesIn(bytes));
    });
  }
}

test("what has no frames is refused at its end", async () => {
  const wrapped = await rewrapping({ framing: "mpeg", codec: "mpeg", container: "mp4" });
  assert.deepEqual(wrapped.push(new Uint8Array(1000)), []);
  assert.throws(() => wrapped.flush());
});

test("after a restart the container's header comes again", { skip }, async () => {
  const bytes = clip("flac");
  const wrapped = rewrapping({ framing: "flac", codec: "flac", container: "mp4" });
  const [first] = wrapped.push(bytes.slice(0, 200_000));
  wrapped.restart(100_000, 3);
  const [again, next] = wrapped.push(bytes.slice(100_000));
  assert.deepEqual(again.bytes.slice(0, 500), first.bytes.slice(0, 500));
  assert.notDeepEqual(next.bytes.slice(4, 8), first.bytes.slice(4, 8));
});

function oggPages(bytes) {
  const all = [];
  for (let at = 0; at < bytes.length; ) {
    const table = bytes.subarray(at + 27, at + 27 + bytes[at + 26]);
    const end = at + 27 + table.length + table.reduce((sum, length) => sum + length, 0);
    all.push(bytes.subarray(at, end));
    at = end;
  }
  return all;
}

/** Returns the pages of a packet. */
function pagesOf(packet, like) {
  const all = [];
  const lacing = [...Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255];
  for (let segment = 0, at = 0; segment < lacing.length; segment += 255) {
    const table = lacing.slice(segment, segment + 255);
    const length = table.reduce((sum, value) => sum + value, 0);
    const head = Uint8Array.from([...like.subarray(0, 27)]);
    head[5] = segment === 0 ? 0 : 1;
    head.fill(segment + 255 < lacing.length ? 0xff : 0, 6, 14);
    head[18] = all.length + 1;
    head[26] = table.length;
    all.push(joined(head, table, packet.subarray(at, at + length)));
    at += length;
  }
  return all;
}
