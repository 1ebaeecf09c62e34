import type { WavFormat } from "./format.js";

/** Bits of decoded samples. */
export type SampleBits = 16 | 24;

type SampleReader = (view: DataView, at: number) => number;

/** Returns the bits that samples of a format are decoded to: all that it has, up to 24. */
export function bitsOf({ encoding, sampleBytes }: WavFormat): SampleBits {
  return encoding === "float" || sampleBytes > 2 ? 24 : 16;
}

/**
 * Decodes frames.
 *
 * @param bytes whole frames.
 * @param bits of the result: -2^(bits-1) to 2^(bits-1)-1.
 * @param channels of the result: one channel is copied to all, several are mixed to one, missing ones are silent.
 * @returns the samples of each channel.
 */
export function decodeFrames(format: WavFormat, bytes: Uint8Array, bits: SampleBits, channels: number): Int32Array[] {
  const frames = Math.floor(bytes.length / format.frameBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = readerOf(format, bits);
  const decoded = Array.from({ length: format.channels }, (_, channel) => {
    const samples = new Int32Array(frames);
    let at = channel * format.sampleBytes;
    for (let frame = 0; frame < frames; frame += 1, at += format.frameBytes) samples[frame] = read(view, at);
    return samples;
  });
  return mixed(decoded, channels, frames);
}

function mixed(from: Int32Array[], channels: number, frames: number): Int32Array[] {
  if (from.length === channels) return from;
  if (from.length === 1) return Array.from({ length: channels }, () => from[0]!);
  if (channels === 1) {
    return [Int32Array.from({ length: frames }, (_, frame) => from.reduce((sum, samples) => sum + samples[frame]!, 0) / from.length)];
  }
  return Array.from({ length: channels }, (_, channel) => from[channel] ?? new Int32Array(frames));
}

function readerOf({ encoding, sampleBytes }: WavFormat, bits: SampleBits): SampleReader {
  switch (encoding) {
    case "float":
      return floatReader(sampleBytes, 2 ** (bits - 1));
    case "a-law":
      return (view, at) => A_LAW[view.getUint8(at)]! << (bits - 16);
    case "mu-law":
      return (view, at) => MU_LAW[view.getUint8(at)]! << (bits - 16);
    case "integer":
      return integerReader(sampleBytes, bits);
  }
}

function floatReader(sampleBytes: number, scale: number): SampleReader {
  const read: SampleReader =
    sampleBytes === 8 ? (view, at) => view.getFloat64(at, true) : (view, at) => view.getFloat32(at, true);
  // Not a number becomes 0 in an Int32Array.
  return (view, at) => Math.max(-scale, Math.min(scale - 1, Math.round(read(view, at) * scale)));
}

function integerReader(sampleBytes: number, bits: SampleBits): SampleReader {
  switch (sampleBytes) {
    case 1:
      return (view, at) => (view.getUint8(at) - 0x80) << (bits - 8);
    case 2:
      return bits === 16 ? (view, at) => view.getInt16(at, true) : (view, at) => view.getInt16(at, true) << 8;
    case 3:
      return bits === 16
        ? (view, at) => view.getInt16(at + 1, true)
        : (view, at) => (view.getInt16(at + 1, true) << 8) | view.getUint8(at);
    default:
      return (view, at) => view.getInt32(at, true) >> (32 - bits);
  }
}

/** ITU-T G.711, A-law: 13 bits, in the upper bits of 16. */
const A_LAW = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 15) << 4) | 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa | 0x100) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
});

/** ITU-T G.711, mu-law: 14 bits, in the upper bits of 16. */
const MU_LAW = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code;
  const magnitude = ((((bits & 15) << 3) | 0x84) << ((bits >> 4) & 7)) - 0x84;
  return bits & 0x80 ? -magnitude : magnitude;
});
