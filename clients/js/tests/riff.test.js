import assert from "node:assert/strict";
import { test } from "node:test";

import { PcmDecoder } from "../dist/pcm.js";
import { parseRiff } from "../dist/riff.js";

const text = (string) => [...string].map((character) => character.charCodeAt(0));
const u16 = (value) => [value & 0xff, value >> 8];
const u32 = (value) => [...u16(value & 0xffff), ...u16(value >>> 16)];
const chunk = (name, content) => [...text(name), ...u32(content.length), ...content, ...(content.length % 2 ? [0] : [])];

function format({ tag = 1, channels = 1, rate = 8000, bits = 16, more = [] } = {}) {
  const frame = (channels * bits) / 8;
  return chunk("fmt ", [...u16(tag), ...u16(channels), ...u32(rate), ...u32(rate * frame), ...u16(frame), ...u16(bits), ...more]);
}

function wav({ chunks = [format()], size = 1000 } = {}) {
  return Uint8Array.from([...text("RIFF"), ...u32(0xffffffff), ...text("WAVE"), ...chunks.flat(), ...text("data"), ...u32(size)]);
}

test("the header of a plain file", () => {
  assert.deepEqual(parseRiff(wav({ chunks: [format({ channels: 2, rate: 44100 })] })), {
    sampleRate: 44100, channels: 2, bitsPerSample: 16, float: false, bytesPerFrame: 4, dataOffset: 44, dataBytes: 1000,
  });
});

test("other chunks before the samples, of odd lengths too", () => {
  const list = chunk("LIST", text("INFO ISFT Lavf odd"));
  const odd = chunk("note", [1, 2, 3]);
  const parsed = parseRiff(wav({ chunks: [list, format(), odd] }));
  assert.equal(parsed.dataOffset, 44 + list.length + odd.length);
});

for (const size of [0, 0xffffffff]) {
  test(`a size of ${size} is unknown`, () => assert.equal(parseRiff(wav({ size })).dataBytes, null));
}

test("every incomplete header needs more", () => {
  const whole = wav();
  for (let length = 0; length < whole.length; length += 1) assert.equal(parseRiff(whole.subarray(0, length)), "more");
});

test("the extensible format, floats, and other codecs", () => {
  const guid = [...u16(22), ...u16(24), ...u32(3), ...u16(1), ...Array(14).fill(0)];
  assert.equal(parseRiff(wav({ chunks: [format({ tag: 0xfffe, bits: 24, channels: 2, more: guid })] })).bitsPerSample, 24);
  assert.equal(parseRiff(wav({ chunks: [format({ tag: 3, bits: 32 })] })).float, true);
  assert.equal(parseRiff(wav({ chunks: [format({ tag: 0x11, bits: 4 })] })), null);
  assert.equal(parseRiff(wav({ chunks: [format({ channels: 0 })] })), null);
  assert.equal(parseRiff(Uint8Array.from(text("ID3 what is this?"))), null);
});

test("a header is found at any offset of its buffer", () => {
  const whole = wav();
  const shifted = new Uint8Array(whole.length + 3);
  shifted.set(whole, 3);
  assert.deepEqual(parseRiff(shifted.subarray(3)), parseRiff(whole));
});

const decoderOf = (options) => new PcmDecoder(parseRiff(wav({ chunks: [format(options)] })));

test("pieces of any length give the same samples as one piece", () => {
  const bytes = Uint8Array.from({ length: 12 * 7 }, (_, index) => (index * 37) & 0xff);
  for (const bits of [8, 16, 24, 32]) {
    const options = { bits, channels: 2 };
    const whole = decoderOf(options).decode(bytes);
    for (let length = 1; length < 20; length += 1) {
      const decoder = decoderOf(options);
      const channels = [[], []];
      for (let at = 0; at < bytes.length; at += length) {
        decoder.decode(bytes.slice(at, at + length)).forEach((samples, channel) => channels[channel].push(...samples));
      }
      assert.deepEqual(channels, whole.map((samples) => [...samples]), `${bits} bits in pieces of ${length}`);
    }
  }
});

test("samples reach from -1 to just below 1", () => {
  const first = (options, bytes) => decoderOf(options).decode(Uint8Array.from(bytes))[0][0];
  assert.equal(first({ bits: 8 }, [0]), -1);
  assert.equal(first({ bits: 8 }, [128]), 0);
  assert.equal(first({ bits: 16 }, [0, 0x80]), -1);
  assert.equal(first({ bits: 16 }, [0, 0x40]), 0.5);
  assert.equal(first({ bits: 24 }, [0, 0, 0x80]), -1);
  assert.equal(first({ bits: 24 }, [0, 0, 0x40]), 0.5);
  assert.equal(first({ bits: 32 }, [0, 0, 0, 0xc0]), -0.5);
  assert.equal(first({ tag: 3, bits: 32 }, new Uint8Array(new Float32Array([0.25]).buffer)), 0.25);
  assert.equal(first({ tag: 3, bits: 64 }, new Uint8Array(new Float64Array([-0.25]).buffer)), -0.25);
});
