import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { AsfError } from "../dist/errors.js";
import { WavStream } from "../dist/wav/stream.js";
import { WavToFlac } from "../dist/wav/transform.js";
import { boxes, framesOf, readFrame } from "./flac-reader.js";
import { file, header, LIST, noise, pieces } from "./wav-files.js";

const FFMPEG = spawnSync("ffmpeg", ["-version"]).status === 0;
const S = noise(4 * 5000);

/** Passes a stream through a transform, in those pieces. */
function wrapped(parts, transform = new WavToFlac()) {
  const segments = [...parts].flatMap((part) => transform.push(part));
  return [...segments, ...transform.flush()];
}

/** The samples of each channel, in order; checks that times have no gaps from `first` on. */
function samplesOf(segments, first = 0) {
  const channels = [];
  let next = first;
  for (const { at, samples, bytes } of framesOf(segments.map(({ bytes }) => bytes))) {
    const frame = readFrame(bytes);
    assert.equal(at, next);
    assert.equal(frame.at, next);
    assert.equal(frame.channels[0].length, samples);
    frame.channels.forEach((of, index) => (channels[index] ??= []).push(...of));
    next += samples;
  }
  return channels;
}

function decoded(bytes) {
  const stream = new WavStream();
  const channels = [];
  for (const block of [...stream.push(Uint8Array.from(bytes)), ...stream.end()]) {
    block.channels.forEach((samples, index) => (channels[index] ??= []).push(...samples));
  }
  return channels;
}

test("the samples arrive as they were, whatever the pieces", () => {
  for (const options of [{}, { channels: 2, rate: 48000 }, { bits: 8 }, { bits: 24, channels: 2 }, { bits: 32 }, { tag: 6, bits: 8 }, { rate: 655350 }]) {
    const bytes = [...header(options), ...S, ...LIST, ...header(options), ...S];
    const expected = decoded(bytes);
    for (const longest of [bytes.length, 4096, 100]) {
      const segments = wrapped(longest === bytes.length ? [Uint8Array.from(bytes)] : pieces(bytes, longest, longest));
      assert.deepEqual(samplesOf(segments), expected, JSON.stringify(options));
      const ends = segments.map(({ end }) => end);
      assert.deepEqual(ends, ends.toSorted((one, other) => one - other));
      assert.equal(ends.at(-1), bytes.length);
    }
  }
});

test("the first segment after the start and after a restart initializes the buffer, no other one does", () => {
  const bytes = Uint8Array.from([...header(), ...S]);
  const transform = new WavToFlac();
  const names = ({ bytes }) => boxes(bytes).map(([name]) => name);
  assert.deepEqual(names(transform.push(bytes.subarray(0, 5000))[0]), ["ftyp", "moov", "moof", "mdat"]);
  assert.deepEqual(names(transform.push(bytes.subarray(5000, 9000))[0]), ["moof", "mdat"]);
  transform.restart(8000);
  assert.deepEqual(names(transform.push(bytes.subarray(8000, 12000))[0]), ["ftyp", "moov", "moof", "mdat"]);
});

test("audio without samples ends", () => {
  const segments = wrapped([Uint8Array.from(file({ samples: [], after: LIST }))]);
  assert.deepEqual(segments.flatMap(({ bytes }) => boxes(bytes)).map(([name]) => name), ["ftyp", "moov"]);
});

test("after a restart, times are exact", () => {
  const bytes = Uint8Array.from([...header({ channels: 2 }), ...S]);
  const transform = new WavToFlac();
  const channels = samplesOf(wrapped([bytes], transform));
  for (const seconds of [0.3, 0, 0.61, 0.1]) {
    const offset = transform.byteAt(seconds);
    assert.equal(transform.restart(offset), seconds);
    const first = Math.round(seconds * 8000);
    const again = samplesOf(wrapped([bytes.subarray(offset)], transform), first);
    assert.deepEqual(again, channels.map((samples) => samples.slice(first)));
  }
});

test("the header may be pushed alone before a restart", () => {
  const bytes = Uint8Array.from([...header(), ...S]);
  const transform = new WavToFlac();
  assert.deepEqual(transform.push(bytes.subarray(0, 44)), []);
  transform.restart(transform.byteAt(1));
  assert.equal(framesOf([wrapped([bytes.subarray(44 + 16000)], transform)[0].bytes])[0].at, 8000);
});

test("what cannot be played is an error, after all that can be played", () => {
  const isFault = (error) => error instanceof AsfError && error.code === "ASF_CLIENT_DECODE_FAILED";
  assert.throws(() => wrapped([Uint8Array.from(noise(100))]), isFault);
  const transform = new WavToFlac();
  const segments = transform.push(Uint8Array.from([...file({ samples: S }), ...file({ samples: S, rate: 1 })]));
  assert.ok(samplesOf(segments)[0].length > S.length / 2 - 1024);
  assert.throws(() => transform.push(new Uint8Array(1)), isFault);
  assert.throws(() => transform.flush(), isFault);
  transform.restart(transform.byteAt(0.1));
  assert.equal(transform.push(Uint8Array.from(S)).length, 1);
});

test("ffmpeg plays the segments", { skip: !FFMPEG && "no ffmpeg" }, () => {
  for (const [options, name, samples] of [
    [{ channels: 2, rate: 44100 }, "s16le", S],
    [{ channels: 1, rate: 96000, bits: 24 }, "s24le", S.slice(0, 3 * 6000)],
  ]) {
    const bytes = [...header(options), ...samples];
    const input = Buffer.concat(wrapped(pieces(bytes, 3, 3000)).map(({ bytes }) => bytes));
    const args = ["-v", "warning", "-xerror", "-f", "mp4", "-i", "-", "-f", name, "-"];
    const { stdout, stderr } = spawnSync("ffmpeg", args, { input, maxBuffer: 2 ** 28 });
    assert.equal(`${stderr}`, "");
    assert.ok(stdout.equals(Buffer.from(samples)));
  }
});
