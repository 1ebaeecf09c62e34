// A plain decoder of the FLAC that the encoder makes (RFC 9639), and of its fragments of MP4: without ffmpeg too, a test
// tells whether each bit is right.
import { crc16, crc8 } from "../dist/wav/bits.js";

class BitReader {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  read(length) {
    let value = 0;
    for (let index = 0; index < length; index += 1, this.at += 1) {
      value = value * 2 + ((this.bytes[this.at >> 3] >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }

  signed(length) {
    const value = this.read(length);
    return value >= 2 ** (length - 1) ? value - 2 ** length : value;
  }

  unary() {
    let zeros = 0;
    while (this.read(1) === 0) zeros += 1;
    return zeros;
  }
}

const BITS = { 0b001: 8, 0b100: 16, 0b110: 24 };

/** Decodes one frame, and checks its checksums. Returns its channels, number and what its header says. */
export function readFrame(bytes) {
  const reader = new BitReader(bytes);
  if (reader.read(16) !== 0xfff9) throw new Error("no sync code");
  const blockCode = reader.read(4);
  const rateCode = reader.read(4);
  const channelsCode = reader.read(4);
  const hasSide = channelsCode === 0b1000;
  const channels = hasSide ? 2 : channelsCode + 1;
  const bits = BITS[reader.read(3)];
  if (blockCode !== 0b0111 || ![0b0000, 0b1101, 0b1110].includes(rateCode) || channels > 8 || bits === undefined) throw new Error("header");
  reader.read(1);
  const at = readNumber(reader);
  const samples = reader.read(16) + 1;
  const sampleRate = rateCode === 0 ? null : reader.read(16) * (rateCode === 0b1110 ? 10 : 1);
  if (crc8(bytes.subarray(0, reader.at / 8)) !== reader.read(8)) throw new Error("CRC-8");
  const decoded = Array.from({ length: channels }, (_, channel) => readSubframe(reader, samples, bits + (hasSide ? channel : 0)));
  if (hasSide) decoded[1] = decoded[1].map((side, index) => decoded[0][index] - side);
  reader.at = Math.ceil(reader.at / 8) * 8;
  if (crc16(bytes.subarray(0, reader.at / 8)) !== reader.read(16)) throw new Error("CRC-16");
  if (reader.at !== bytes.length * 8) throw new Error("length");
  return { at, bits, sampleRate, channels: decoded };
}

function readNumber(reader) {
  const first = reader.read(8);
  if (first < 0x80) return first;
  const bytes = Math.clz32(~(first << 24));
  let number = first & (0x7f >> bytes);
  for (let index = 1; index < bytes; index += 1) number = number * 64 + (reader.read(8) & 0x3f);
  return number;
}

function readSubframe(reader, samples, allBits) {
  reader.read(1);
  const type = reader.read(6);
  const wasted = reader.read(1) ? reader.unary() + 1 : 0;
  const bits = allBits - wasted;
  const decoded = new Int32Array(samples);
  if (type === 0) decoded.fill(reader.signed(bits));
  else if (type === 1) for (let index = 0; index < samples; index += 1) decoded[index] = reader.signed(bits);
  else readPredicted(reader, decoded, type & 7, bits);
  return decoded.map((sample) => sample << wasted);
}

const PREDICTORS = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

function readPredicted(reader, decoded, order, bits) {
  for (let index = 0; index < order; index += 1) decoded[index] = reader.signed(bits);
  const parameterBits = reader.read(2) === 0 ? 4 : 5;
  const partitions = 2 ** reader.read(4);
  const size = decoded.length / partitions;
  for (let index = order; index < decoded.length; ) {
    const end = (Math.floor(index / size) + 1) * size;
    const parameter = reader.read(parameterBits);
    for (; index < end; index += 1) {
      const folded = reader.unary() * 2 ** parameter + reader.read(parameter);
      const residual = folded % 2 ? -(folded + 1) / 2 : folded / 2;
      decoded[index] = residual + PREDICTORS[order].reduce((sum, factor, back) => sum + factor * decoded[index - 1 - back], 0);
    }
  }
}

/** Returns the boxes of MP4, as [name, content]. */
export function boxes(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > bytes.length) throw new Error("size of a box");
    found.push([String.fromCharCode(...bytes.subarray(at + 4, at + 8)), bytes.subarray(at + 8, at + size)]);
    at += size;
  }
  return found;
}

/** Returns the frames in media segments, each with the time that the container gives it. */
export function framesOf(segments) {
  const frames = [];
  let fragment;
  for (const [name, content] of segments.flatMap(boxes)) {
    if (name === "moof") fragment = content;
    if (name !== "mdat") continue;
    const inner = Object.fromEntries(boxes(boxes(fragment).find(([name]) => name === "traf")[1]));
    const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = Number(view(inner.tfdt).getBigUint64(4));
    const run = view(inner.trun);
    if (run.getUint32(8) !== fragment.length + 8 + 8) throw new Error("offset of the data");
    let offset = 0;
    for (let index = 0; index < run.getUint32(4); index += 1) {
      const [samples, size] = [run.getUint32(12 + index * 8), run.getUint32(16 + index * 8)];
      frames.push({ at, samples, bytes: content.subarray(offset, offset + size) });
      at += samples;
      offset += size;
    }
  }
  return frames;
}
