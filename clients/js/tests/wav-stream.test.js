import assert from "node:assert/strict";
import { test } from "node:test";

import { WavStream } from "../dist/wav/stream.js";
import { file, header, LIST, noise, pieces } from "./wav-files.js";

const FRAMES = 4000;
const S = noise(2 * FRAMES);

/** Decodes a stream that arrives in those pieces. */
function decoded(parts, { total } = {}) {
  const stream = new WavStream();
  if (total !== undefined) stream.setTotal(total);
  const blocks = [...parts].flatMap((part) => stream.push(part));
  blocks.push(...stream.end());
  return { stream, blocks, channels: joinedChannels(blocks) };
}

function joinedChannels(blocks) {
  const channels = [];
  for (const { channels: of } of blocks) of.forEach((samples, index) => (channels[index] ??= []).push(...samples));
  return channels;
}

const whole = (bytes) => [Uint8Array.from(bytes)];
const samplesOf = (bytes, options) => decoded(whole([...header(options), ...bytes])).channels.map((samples) => samples[0]);

test("samples of all formats", () => {
  assert.deepEqual(samplesOf([0x34, 0x12], {}), [0x1234]);
  assert.deepEqual(samplesOf([0, 0x80, 0xff, 0x7f], { channels: 2 }), [-0x8000, 0x7fff]);
  assert.deepEqual(samplesOf([0, 0x80, 0xff], { channels: 3, bits: 8 }), [-0x8000, 0, 0x7f00]);
  assert.deepEqual(samplesOf([1, 2, 3, 0, 0, 0x80], { channels: 2, bits: 24 }), [0x030201, -0x800000]);
  assert.deepEqual(samplesOf([9, 1, 2, 3, 0, 0, 0, 0x80], { channels: 2, bits: 32 }), [0x030201, -0x800000]);
  const floats = [0.25, -1, 1, 7, NaN, -Infinity];
  const expected = [0x200000, -0x800000, 0x7fffff, 0x7fffff, 0, -0x800000];
  assert.deepEqual(samplesOf(new Uint8Array(Float32Array.from(floats).buffer), { tag: 3, bits: 32, channels: 6 }), expected);
  assert.deepEqual(samplesOf(new Uint8Array(Float64Array.from(floats).buffer), { tag: 3, bits: 64, channels: 6 }), expected);
  // ITU-T G.711.
  assert.deepEqual(samplesOf([0xd5, 0x55, 0xaa, 0x2a, 0x80, 0x00], { tag: 6, bits: 8, channels: 6 }), [8, -8, 32256, -32256, 5504, -5504]);
  assert.deepEqual(samplesOf([0xff, 0x7f, 0x80, 0x00, 0xf0, 0x70], { tag: 7, bits: 8, channels: 6 }), [0, 0, 32124, -32124, 120, -120]);
});

test("blocks are numbered without gaps, whatever the pieces", () => {
  const bytes = [...header({ channels: 2, bits: 24 }), ...S];
  const { channels } = decoded(whole(bytes));
  for (let seed = 0; seed < 5; seed += 1) {
    const { blocks, channels: again } = decoded(pieces(bytes, seed, 200));
    assert.deepEqual(again, channels);
    let next = 0;
    for (const { at, channels } of blocks) {
      assert.equal(at, next);
      next += channels[0].length;
    }
  }
});

test("later files are brought to the format of the first one", () => {
  const mono = file({ samples: [0, 1, 0, 1] });
  const stereo = file({ samples: [0, 2, 0, 4, 0, 6, 0, 8], channels: 2 });
  assert.deepEqual(decoded(whole([...stereo, ...mono])).channels, [[512, 1536, 256, 256], [1024, 2048, 256, 256]]);
  assert.deepEqual(decoded(whole([...mono, ...stereo])).channels, [[256, 256, 768, 1792]]);
  const [bits24, bits8] = [file({ samples: [0, 0, 1], bits: 24 }), file({ samples: [0x81, 0x82], bits: 8 })];
  assert.deepEqual(decoded(whole([...mono, ...bits24, ...bits8])).channels, [[256, 256, 256, 256, 512]]);
  assert.deepEqual(decoded(whole([...bits24, ...mono])).channels, [[0x10000, 0x10000, 0x10000]]);
});

test("later files of another sample rate are converted", () => {
  const tone = (rate) => Array.from({ length: rate / 2 }, (_, index) => Math.round(9000 * Math.sin((2 * Math.PI * 440 * index) / rate)));
  const bytes = (rate) => [...new Uint8Array(Int16Array.from(tone(rate)).buffer)];
  const stream = [24000, 16000, 48000, 24000].flatMap((rate) => file({ samples: bytes(rate), rate }));
  const { stream: read, channels } = decoded(pieces(stream, 1, 4000));
  const expected = Array(4).fill(tone(24000)).flat();
  assert.equal(channels[0].length, expected.length);
  // At the borders there is something else on the other side.
  const isInside = (index) => [100, 11900].every((edge, side) => side ? index % 12000 < edge : index % 12000 > edge);
  const worst = Math.max(...channels[0].map((sample, index) => (isInside(index) ? Math.abs(sample - expected[index]) : 0)));
  assert.ok(worst < 20, worst);
  assert.equal(read.fault, null);
  read.setTotal(stream.length);
  assert.ok(Math.abs(read.totalSeconds - 2) < 1e-3);
  const offset = read.byteAt(0.75);
  assert.equal(read.restart(offset), 0.75);
  const [block] = read.push(Uint8Array.from(stream.slice(offset)));
  assert.equal(block.at, 18000);
});

test("a sample rate that is too far from the first one is reported", () => {
  const { stream, channels } = decoded(whole([...file({ samples: S }), ...file({ samples: S, rate: 1 })]));
  assert.equal(stream.fault, "rate-changed");
  assert.equal(channels[0].length, FRAMES);
});

test("the duration is unknown while the size is, and right then", () => {
  for (const [bytes, seconds] of [
    [file({ samples: S }), 0.5],
    [file({ samples: S, before: LIST, after: [...LIST, ...LIST] }), 0.5],
    [[...header({ dataSize: 100 }), ...S], 0.5],
    [[...header({ dataSize: 0x7ffff000 }), ...S], 0.5],
    [[...header(), ...S, ...LIST], 0.5],
    [[...file({ samples: S }), ...file({ samples: S }), ...file({ samples: S, channels: 2 })], 1.25],
  ]) {
    const stream = new WavStream();
    stream.push(Uint8Array.from(bytes.slice(0, 200)));
    assert.equal(stream.totalSeconds, null);
    stream.setTotal(bytes.length);
    assert.ok(Math.abs(stream.totalSeconds - seconds) < 0.01 || bytes.length > 20000);
    stream.push(Uint8Array.from(bytes.slice(200)));
    stream.end();
    assert.equal(stream.totalSeconds, seconds);
  }
});

test("a whole file with a long chunk behind its samples says how long it is", () => {
  const bytes = file({ samples: S, after: [...LIST, ...Array(100).fill(LIST).flat()] });
  const stream = new WavStream();
  stream.push(Uint8Array.from(bytes.slice(0, 100)));
  stream.setTotal(bytes.length);
  assert.equal(stream.totalSeconds, 0.5);
});

test("offsets and seconds", () => {
  const first = file({ samples: S, before: LIST });
  const bytes = [...first, ...file({ samples: S, channels: 2 })];
  const stream = new WavStream();
  assert.equal(stream.byteAt(1), null);
  assert.equal(stream.secondsAt(1), null);
  stream.push(Uint8Array.from(bytes));
  const start = 44 + LIST.length;
  assert.equal(stream.firstSampleOffset, start);
  assert.equal(stream.byteAt(0), start);
  assert.equal(stream.byteAt(0.25), start + S.length / 2);
  assert.equal(stream.byteAt(0.5), first.length + 44);
  assert.equal(stream.byteAt(0.625), first.length + 44 + S.length / 2);
  assert.equal(stream.secondsAt(0), 0);
  assert.equal(stream.secondsAt(start + 16), 1 / 1000);
  assert.equal(stream.secondsAt(first.length + 10), 0.5);
  assert.equal(stream.secondsAt(bytes.length), 0.75);
});

test("after a restart, samples have their numbers", () => {
  const first = file({ samples: S, after: LIST });
  const bytes = Uint8Array.from([...first, ...file({ samples: S })]);
  const { stream, channels } = decoded(whole(bytes));
  for (const seconds of [0, 0.1, 0.49, 0.5, 0.7, 0.999]) {
    const offset = stream.byteAt(seconds);
    assert.ok(Math.abs(stream.restart(offset) - seconds) < 1e-9);
    const [block] = [...stream.push(bytes.subarray(offset)), ...stream.end()];
    assert.equal(block.at, Math.round(seconds * 8000));
    assert.equal(block.channels[0][0], channels[0][block.at]);
  }
  // At any byte: in a header, between two files, in the middle of a sample.
  for (const offset of [0, 20, 44, 45, 1001, first.length - LIST.length, first.length - 10, first.length + 3, first.length + 100]) {
    stream.restart(offset);
    const again = joinedChannels([...stream.push(bytes.subarray(offset)), ...stream.end()]);
    assert.deepEqual(again[0], channels[0].slice(channels[0].length - again[0].length));
  }
});

test("behind what was read, the last file is taken to go on, until another one starts", () => {
  const bytes = Uint8Array.from([...header(), ...S, ...header(), ...S]);
  const stream = new WavStream();
  stream.push(bytes.subarray(0, 100));
  const offset = stream.byteAt(0.25);
  stream.restart(offset);
  const blocks = stream.push(bytes.subarray(offset));
  assert.equal(blocks[0].at, 2000);
  assert.equal(joinedChannels([...blocks, ...stream.end()])[0].length, 6000);
  assert.equal(stream.byteAt(0.5), 88 + S.length);
});
