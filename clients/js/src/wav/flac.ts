import { BitWriter, crc16, crc8 } from "./bits.js";

/** Audio that FLAC encodes. */
export interface FlacFormat {
  /** 1 to 655,350. */
  sampleRate: number;
  /** 1 to 8. */
  channels: number;
  bits: 8 | 16 | 24;
}

/** Most samples of a block. */
export const MAX_BLOCK_SAMPLES = 16_384;

/** Length of the content of the metadata block STREAMINFO. */
const STREAM_INFO_BYTES = 34;

/** Bytes of a frame beside its subframes, and of a subframe beside its samples, at most. */
const FRAME_OVERHEAD_BYTES = 24;
const SUBFRAME_OVERHEAD_BYTES = 8;

/** Each so many residuals have a Rice parameter of their own. */
const PARTITION_SAMPLES = 128;

const MAX_ORDER = 4;

/** Code of channels of which the second one is the difference of both (section 9.1.3). */
const LEFT_AND_SIDE = 0b1000;

/** Codes of the bits of a sample in a frame's header. */
const BITS_CODES = { 8: 0b001, 16: 0b100, 24: 0b110 } as const;

/**
 * Encodes FLAC (RFC 9639) with fixed predictors: about as small as a fast encoder makes it, in a fraction of a
 * millisecond a block. Blocks may have any size and number, so that a decoder may start with each of them.
 */
export class FlacEncoder {
  readonly #format: FlacFormat;
  readonly #writer: BitWriter;
  readonly #residual = new Int32Array(MAX_BLOCK_SAMPLES);
  readonly #side = new Int32Array(MAX_BLOCK_SAMPLES);
  readonly #shifted = new Int32Array(MAX_BLOCK_SAMPLES);

  constructor(format: FlacFormat) {
    this.#format = format;
    const subframe = (MAX_BLOCK_SAMPLES * format.bits) / 8 + SUBFRAME_OVERHEAD_BYTES;
    this.#writer = new BitWriter(FRAME_OVERHEAD_BYTES + format.channels * subframe);
  }

  /** The metadata block STREAMINFO, the last one, with its header (section 8.2). Length and checksum are unknown. */
  get streamInfo(): Uint8Array<ArrayBuffer> {
    const { sampleRate, channels, bits } = this.#format;
    const writer = new BitWriter(4 + STREAM_INFO_BYTES);
    writer.write(0x80, 8);
    writer.write(STREAM_INFO_BYTES, 24);
    writer.write(16, 16); // As the format wants it at least; the last block may be shorter.
    writer.write(MAX_BLOCK_SAMPLES, 16);
    writer.write(0, 24);
    writer.write(0, 24);
    writer.write(sampleRate, 20);
    writer.write(channels - 1, 3);
    writer.write(bits - 1, 5);
    for (const length of [4, 32, 32, 32, 32, 32]) writer.write(0, length);
    return writer.bytes;
  }

  /**
   * Encodes one block.
   *
   * @param channels samples of each channel, as many for each, 1 to {@link MAX_BLOCK_SAMPLES}; 16 or more unless it is the last block.
   * @param at number of the first sample, to 2^36 - 1.
   * @returns a frame.
   */
  encode(channels: readonly Int32Array[], at: number): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    writer.clear();
    const { bits } = this.#format;
    const side = this.#sideOf(channels);
    this.#writeHeader(channels[0]!.length, at, side === null ? channels.length - 1 : LEFT_AND_SIDE);
    this.#writeSubframe(channels[0]!, bits);
    if (side !== null) this.#writeSubframe(side, bits + 1);
    else for (const samples of channels.slice(1)) this.#writeSubframe(samples, bits);
    writer.align();
    writer.write(crc16(writer.bytes), 16);
    return writer.bytes.slice();
  }

  /** Section 9.1. */
  #writeHeader(samples: number, at: number, channelsCode: number): void {
    const writer = this.#writer;
    const { sampleRate, bits } = this.#format;
    writer.write(0xfff9, 16); // Blocks of variable size, so numbers are those of samples.
    writer.write(0b0111, 4);
    const [rateCode, rate] = rateOf(sampleRate);
    writer.write(rateCode, 4);
    writer.write(channelsCode, 4);
    writer.write(BITS_CODES[bits], 3);
    writer.write(0, 1);
    this.#writeNumber(at);
    writer.write(samples - 1, 16);
    if (rate !== null) writer.write(rate, 16);
    writer.write(crc8(writer.bytes), 8);
  }

  /** Writes a number as UTF-8 would, in up to 7 bytes (section 9.1.5). */
  #writeNumber(number: number): void {
    if (number < 0x80) {
      this.#writer.write(number, 8);
      return;
    }
    // n bytes have 5n + 1 bits.
    let bytes = 2;
    while (number >= 2 ** (5 * bytes + 1)) bytes += 1;
    const first = (0xff00 >> bytes) & 0xff;
    this.#writer.write(first | Math.floor(number / 2 ** (6 * (bytes - 1))), 8);
    for (let rest = bytes - 2; rest >= 0; rest -= 1) this.#writer.write(0x80 | (Math.floor(number / 2 ** (6 * rest)) & 0x3f), 8);
  }

  /** Section 9.2. */
  #writeSubframe(original: Int32Array, allBits: number): void {
    const writer = this.#writer;
    const length = original.length;
    const first = original[0]!;
    let used = 0;
    let different = 0;
    for (let index = 0; index < length; index += 1) {
      used |= original[index]!;
      different |= original[index]! ^ first;
    }
    if (different === 0) {
      writer.write(0b00000000, 8);
      writer.write(first, allBits);
      return;
    }
    // Bits that are 0 in all samples are left out: those of 8 bits in 16, for example.
    const wasted = 31 - Math.clz32(used & -used);
    const samples = wasted === 0 ? original : this.#shiftedBy(original, wasted);
    const bits = allBits - wasted;
    const order = length > 2 * MAX_ORDER ? bestOrder(samples) : 0;
    predict(samples, order, this.#residual);
    const partitions = partition(this.#residual, length, order);
    const verbatim = partitions.bits + order * bits + 6 >= length * bits;
    writer.write(((verbatim ? 0b000001 : 0b001000 | order) << 1) | (wasted > 0 ? 1 : 0), 8);
    if (wasted > 0) writer.write(1, wasted);
    if (verbatim) for (let index = 0; index < length; index += 1) writer.write(samples[index]!, bits);
    else this.#writePredicted(samples, order, bits, partitions);
  }

  #writePredicted(samples: Int32Array, order: number, bits: number, { parameters, order: partitionOrder }: Partitions): void {
    const writer = this.#writer;
    for (let index = 0; index < order; index += 1) writer.write(samples[index]!, bits);
    writer.write(0b01, 2); // Rice parameters of 5 bits.
    writer.write(partitionOrder, 4);
    const size = samples.length >> partitionOrder;
    parameters.forEach((parameter, index) => {
      writer.write(parameter, 5);
      writer.writeRice(this.#residual, index === 0 ? order : index * size, (index + 1) * size, parameter);
    });
  }

  /** Returns the difference of two channels if it changes less than the second one (section 4.2); otherwise null. */
  #sideOf([left, right, ...others]: readonly Int32Array[]): Int32Array | null {
    if (left === undefined || right === undefined || others.length > 0) return null;
    const side = this.#side.subarray(0, left.length);
    let changes = 0;
    for (let index = 0; index < left.length; index += 1) {
      side[index] = left[index]! - right[index]!;
      if (index > 0) changes += Math.abs(right[index]! - right[index - 1]!) - Math.abs(side[index]! - side[index - 1]!);
    }
    return changes > 0 ? side : null;
  }

  #shiftedBy(samples: Int32Array, bits: number): Int32Array {
    const shifted = this.#shifted.subarray(0, samples.length);
    for (let index = 0; index < samples.length; index += 1) shifted[index] = samples[index]! >> bits;
    return shifted;
  }
}

/**
 * Returns the code of a sample rate (section 9.1.2), and what follows in the header: Hz, or tens of Hz. Where both are too
 * small, STREAMINFO has the rate, on which some decoders do not rely.
 */
function rateOf(sampleRate: number): [code: number, rate: number | null] {
  if (sampleRate < 2 ** 16) return [0b1101, sampleRate];
  return sampleRate % 10 === 0 ? [0b1110, sampleRate / 10] : [0b0000, null];
}

/** Returns the order of the fixed predictor whose residual is smallest (section 9.2.5), measured from sample 4 on. */
function bestOrder(samples: Int32Array): number {
  let [sum0, sum1, sum2, sum3, sum4] = [0, 0, 0, 0, 0];
  let last0 = samples[3]!;
  let last1 = last0 - samples[2]!;
  let last2 = last1 - (samples[2]! - samples[1]!);
  let last3 = last2 - (samples[2]! - 2 * samples[1]! + samples[0]!);
  for (let index = MAX_ORDER; index < samples.length; index += 1) {
    const error0 = samples[index]!;
    const error1 = error0 - last0;
    const error2 = error1 - last1;
    const error3 = error2 - last2;
    const error4 = error3 - last3;
    sum0 += Math.abs(error0);
    sum1 += Math.abs(error1);
    sum2 += Math.abs(error2);
    sum3 += Math.abs(error3);
    sum4 += Math.abs(error4);
    last0 = error0;
    last1 = error1;
    last2 = error2;
    last3 = error3;
  }
  const sums = [sum0, sum1, sum2, sum3, sum4];
  return sums.indexOf(Math.min(...sums));
}

/** Writes what the predictor of an order leaves to `residual`, from index `order` on. */
function predict(samples: Int32Array, order: number, residual: Int32Array): void {
  residual.set(samples);
  for (let done = 0; done < order; done += 1) {
    for (let index = samples.length - 1; index > done; index -= 1) residual[index]! -= residual[index - 1]!;
  }
}

interface Partitions {
  /** There are 2^order partitions, of the same size but for what the predictor's order takes from the first one. */
  order: number;
  parameters: number[];
  /** Bits of all of them, at most. */
  bits: number;
}

/** Chooses Rice parameters for a residual. */
function partition(residual: Int32Array, length: number, order: number): Partitions {
  let partitionOrder = 0;
  while (length % (2 << partitionOrder) === 0 && length >> (partitionOrder + 1) >= PARTITION_SAMPLES) partitionOrder += 1;
  const size = length >> partitionOrder;
  const parameters: number[] = [];
  let bits = 0;
  for (let end = size; end <= length; end += size) {
    const start = end === size ? order : end - size;
    let sum = 0;
    for (let index = start; index < end; index += 1) sum += Math.abs(residual[index]!);
    const count = end - start;
    // Codes are shortest where the parameter's bits hold about the median of the folded numbers.
    const parameter = Math.max(0, Math.min(30, Math.round(Math.log2((sum / count) * 1.4 + 1e-9))));
    parameters.push(parameter);
    bits += 5 + count * (parameter + 1) + (2 * sum) / 2 ** parameter;
  }
  return { order: partitionOrder, parameters, bits };
}
