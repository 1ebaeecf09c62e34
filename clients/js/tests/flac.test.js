import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { crc16, crc8 } from "../dist/wav/bits.js";
import { FlacEncoder, MAX_BLOCK_SAMPLES } from "../dist/wav/flac.js";
import { readFrame } from "./flac-reader.js";
import { random, text } from "./wav-files.js";

const FFMPEG = spawnSync("ffmpeg", ["-version"]).status === 0;

/** Sounds that are hard in different ways, as functions of the sample's number, from -1 to 1. */
function sounds(seed) {
  const next = random(seed);
  return {
    silence: () => 0,
    constant: () => -1,
    tone: (index) => 0.7 * Math.sin(index / 20),
    noise: () => next() * 2 - 1,
    soft: () => (next() - 0.5) / 1000,
    square: (index) => (index % 100 < 50 ? 0.9999999 : -1),
    alternating: (index) => (index % 2 ? 1 : -1),
    click: (index) => (index === 77 ? 1 : 0),
    speech: (index) => Math.sin(index / 9) * Math.max(0, Math.sin(index / 3000)) * 0.5 + (next() - 0.5) / 500,
  };
}

function samplesOf(sound, length, bits) {
  const [least, most] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  return Int32Array.from({ length }, (_, index) => Math.max(least, Math.min(most, Math.round(sound(index) * 2 ** (bits - 1)))));
}

const blocksOf = (channels, length) =>
  Array.from({ length: Math.ceil(channels[0].length / length) }, (_, index) =>
    channels.map((samples) => samples.subarray(index * length, (index + 1) * length)),
  );

test("checksums", () => {
  // The usual check values of CRC-8/SMBUS and CRC-16/UMTS.
  assert.equal(crc8(Uint8Array.from(text("123456789"))), 0xf4);
  assert.equal(crc16(Uint8Array.from(text("123456789"))), 0xfee8);
});

test("each block is decoded bit by bit as it was", () => {
  for (const bits of [8, 16, 24]) {
    for (const length of [1, 2, 5, 9, 16, 17, 255, 256, 1000, 1024, MAX_BLOCK_SAMPLES]) {
      const channels = Object.values(sounds(length)).slice(0, 8).map((sound) => samplesOf(sound, length, bits));
      const encoder = new FlacEncoder({ sampleRate: 48000, channels: channels.length, bits });
      const frame = readFrame(encoder.encode(channels, 5));
      assert.deepEqual(frame, { at: 5, bits, sampleRate: 48000, channels }, `${length} samples of ${bits} bits`);
    }
  }
});

test("bits that no sample uses cost nothing", () => {
  const samples = samplesOf(sounds(1).noise, 4096, 8);
  const shifted = samples.map((sample) => sample << 8);
  const size = (bits, samples) => new FlacEncoder({ sampleRate: 8000, channels: 1, bits }).encode([samples], 0).length;
  assert.ok(Math.abs(size(16, shifted) - size(8, samples)) < 4);
  assert.deepEqual(readFrame(new FlacEncoder({ sampleRate: 8000, channels: 1, bits: 16 }).encode([shifted], 0)).channels, [shifted]);
});

test("two channels that are alike cost little more than one", () => {
  const next = random(1);
  const left = samplesOf(sounds(1).speech, 4096, 24);
  const right = left.map((sample) => Math.max(-(2 ** 23), sample - Math.round(next() * 20)));
  const encoder = new FlacEncoder({ sampleRate: 48000, channels: 2, bits: 24 });
  const opposite = [left, left.map((sample) => -sample)];
  for (const channels of [[left, left], [left, right], [left, samplesOf(sounds(2).noise, 4096, 24)], opposite, [samplesOf(sounds(1).square, 4096, 24), left]]) {
    assert.deepEqual(readFrame(encoder.encode(channels, 0)).channels, channels);
  }
  const alone = new FlacEncoder({ sampleRate: 48000, channels: 1, bits: 24 }).encode([left], 0).length;
  assert.ok(encoder.encode([left, left], 0).length < alone + 16);
  assert.ok(encoder.encode([left, right], 0).length < alone * 1.5);
});

test("any number and rate", () => {
  const samples = samplesOf(sounds(1).tone, 100, 16);
  for (const at of [0, 127, 128, 2047, 2048, 65535, 65536, 2 ** 21 - 1, 2 ** 21, 2 ** 26, 2 ** 31, 2 ** 32 + 1, 2 ** 36 - 1]) {
    assert.equal(readFrame(new FlacEncoder({ sampleRate: 48000, channels: 1, bits: 16 }).encode([samples], at)).at, at);
  }
  for (const sampleRate of [1, 8000, 22050, 44101, 65535, 65540, 96000, 192000, 655350]) {
    assert.equal(readFrame(new FlacEncoder({ sampleRate, channels: 1, bits: 16 }).encode([samples], 0)).sampleRate, sampleRate);
  }
  assert.equal(readFrame(new FlacEncoder({ sampleRate: 65537, channels: 1, bits: 16 }).encode([samples], 0)).sampleRate, null);
});

test("a tone becomes smaller, noise hardly larger", () => {
  const size = (sound) => new FlacEncoder({ sampleRate: 48000, channels: 1, bits: 16 }).encode([samplesOf(sound, 4096, 16)], 0).length;
  assert.ok(size(sounds(1).tone) < 2700, size(sounds(1).tone));
  assert.ok(size(sounds(1).noise) < 8192 + 24);
  assert.ok(size(sounds(1).silence) < 24);
});

test("ffmpeg decodes it bit by bit", { skip: !FFMPEG && "no ffmpeg" }, () => {
  const all = Object.values(sounds(7));
  for (const [bits, name, bytes] of [[16, "s16le", 2], [24, "s24le", 3]]) {
    for (const [sampleRate, count, length] of [[48000, 2, 2048], [24000, 1, 1024], [655350, 1, 4096], [96000, 8, 4096], [11025, 3, 500]]) {
      const channels = Array.from({ length: count }, (_, channel) => {
        const parts = all.map((_, index) => samplesOf(all[(index + channel) % all.length], 3000, bits));
        return Int32Array.from(parts.flatMap((part) => [...part]));
      });
      const encoder = new FlacEncoder({ sampleRate, channels: count, bits });
      let at = 0;
      const frames = blocksOf(channels, length).map((block) => {
        at += block[0].length;
        return encoder.encode(block, at - block[0].length);
      });
      const flac = Buffer.concat([Buffer.from("fLaC"), encoder.streamInfo, ...frames]);
      const args = ["-v", "warning", "-xerror", "-err_detect", "crccheck+bitstream+buffer+explode", "-f", "flac", "-i", "-", "-f", name, "-"];
      const { status, stdout, stderr } = spawnSync("ffmpeg", args, { input: flac, maxBuffer: 2 ** 28 });
      assert.equal(`${stderr}`, "");
      assert.equal(status, 0);
      const expected = Buffer.alloc(channels[0].length * count * bytes);
      for (let index = 0; index < channels[0].length; index += 1) {
        channels.forEach((samples, channel) => expected.writeIntLE(samples[index], (index * count + channel) * bytes, bytes));
      }
      assert.ok(stdout.equals(expected), `${sampleRate} Hz, ${count} channels, ${bits} bits`);
    }
  }
});
