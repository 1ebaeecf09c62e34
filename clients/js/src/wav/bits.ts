/** Most bits that are written at once: with up to 7 that wait for their byte, 32 is not exceeded. */
const MAX_BITS = 24;

/** Writes numbers of any length in bits, the highest bit first. */
export class BitWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;
  /** The last bits, of which `#count` wait until they make a byte. */
  #bits = 0;
  #count = 0;

  /** @param capacity bytes that are written at most. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** The bytes so far, without bits that make no byte yet. Valid until `clear`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Discards all bits. */
  clear(): void {
    this.#length = this.#bits = this.#count = 0;
  }

  /** Writes the lowest `length` bits of `value`, 0 to 32. */
  write(value: number, length: number): void {
    if (length > MAX_BITS) {
      this.write(value >>> MAX_BITS, length - MAX_BITS);
      this.write(value, MAX_BITS);
      return;
    }
    this.#bits = (this.#bits << length) | (value & ((1 << length) - 1));
    this.#count += length;
    while (this.#count >= 8) {
      this.#count -= 8;
      this.#bytes[this.#length++] = this.#bits >>> this.#count;
    }
  }

  /** Fills the last byte with zeros. */
  align(): void {
    this.write(0, (8 - this.#count) % 8);
  }

  /**
   * Writes Rice codes (RFC 9639, section 9.2.7): numbers that may be negative, short ones for small ones.
   *
   * @param numbers less than 2^30 in size.
   * @param parameter 0 to 30: how many of the lowest bits are written as they are.
   */
  writeRice(numbers: Int32Array, from: number, to: number, parameter: number): void {
    const stop = 1 << parameter;
    for (let index = from; index < to; index += 1) {
      const number = numbers[index]!;
      const folded = (number << 1) ^ (number >> 31);
      let zeros = folded >>> parameter;
      const rest = stop | (folded & (stop - 1));
      if (zeros + parameter < MAX_BITS) {
        const length = zeros + parameter + 1;
        this.#bits = (this.#bits << length) | rest;
        this.#count += length;
        while (this.#count >= 8) {
          this.#count -= 8;
          this.#bytes[this.#length++] = this.#bits >>> this.#count;
        }
      } else {
        for (; zeros >= MAX_BITS; zeros -= MAX_BITS) this.write(0, MAX_BITS);
        this.write(0, zeros);
        this.write(rest, parameter + 1);
      }
    }
  }
}

/** Returns the CRC-8 of a frame's header (RFC 9639, section 9.1.8). */
export function crc8(bytes: Uint8Array): number {
  return bytes.reduce((crc, byte) => CRC_8[crc ^ byte]!, 0);
}

/** Returns the CRC-16 of a frame (RFC 9639, section 9.3). */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (let at = 0; at < bytes.length; at += 1) crc = ((crc << 8) & 0xff00) ^ CRC_16[(crc >> 8) ^ bytes[at]!]!;
  return crc;
}

const CRC_8 = crcTable(8, 0x07);
const CRC_16 = crcTable(16, 0x8005);

function crcTable(bits: number, polynomial: number): Uint16Array {
  const top = 1 << (bits - 1);
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << (bits - 8);
    for (let bit = 0; bit < 8; bit += 1) crc = crc & top ? (crc << 1) ^ polynomial : crc << 1;
    return crc & ((1 << bits) - 1);
  });
}
