/** What a FLAC stream says of all its frames (RFC 9639, section 8.2). */
export interface StreamInfo {
  /** The block of metadata, with its header, as MP4 has it. */
  block: Uint8Array<ArrayBuffer>;
  maxBlockSize: number;
  sampleRate: number;
  channels: number;
  bitDepth: number;
}

/** What the header of a frame says (RFC 9639, section 9.1). */
export interface FlacFrameHeader {
  /** Number of its first sample. */
  position: number;
  /** Samples per channel. */
  samples: number;
  sampleRate: number;
  channels: number;
  bitDepth: number;
  /** Most bytes that the frame can have. */
  mostBytes: number;
  streamInfo: Uint8Array<ArrayBuffer>;
}

const STREAM_INFO_BYTES = 34;
const SAMPLE_RATES = [0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000];
const BIT_DEPTHS = [0, 8, 12, -1, 16, 20, 24, 32];

/** Bytes that a frame can have besides uncompressed samples. */
const OVERHEAD_BYTES = 64;

/** Reads the content of a STREAMINFO block; null if it is none. */
export function readStreamInfo(content: Uint8Array<ArrayBuffer>): StreamInfo | null {
  if (content.length < STREAM_INFO_BYTES) return null;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const packed = view.getUint32(10);
  return {
    block: Uint8Array.from([0x80, 0, 0, STREAM_INFO_BYTES, ...content.subarray(0, STREAM_INFO_BYTES)]),
    maxBlockSize: view.getUint16(2),
    sampleRate: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    bitDepth: ((packed >>> 4) & 31) + 1,
  };
}

/**
 * Reads the header of a frame at `at`, of which 16 bytes are there.
 *
 * @param info of the stream; null where there is none.
 * @returns null if there is no frame of that stream.
 */
export function readFrameHeader(bytes: Uint8Array, at: number, info: StreamInfo | null): FlacFrameHeader | null {
  if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xfe) !== 0xf8) return null;
  const isVariable = (bytes[at + 1]! & 1) === 1;
  const [sizeCode, rateCode] = [bytes[at + 2]! >> 4, bytes[at + 2]! & 15];
  const [channelCode, depthCode] = [bytes[at + 3]! >> 4, (bytes[at + 3]! >> 1) & 7];
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || depthCode === 3 || (bytes[at + 3]! & 1) === 1) return null;
  const number = readNumber(bytes, at + 4);
  if (number === null) return null;
  let end = at + 4 + number.bytes;
  const take = (length: number): number => {
    let value = 0;
    for (let index = 0; index < length; index += 1) value = (value << 8) | bytes[end + index]!;
    end += length;
    return value;
  };
  const samples = sizeCode === 6 ? take(1) + 1 : sizeCode === 7 ? take(2) + 1 : blockSize(sizeCode);
  const ownRate = rateCode < 12 ? SAMPLE_RATES[rateCode]! : rateCode === 12 ? take(1) * 1000 : take(2) * (rateCode - 13 ? 10 : 1);
  if (end >= bytes.length || crc8(bytes, at, end) !== bytes[end]) return null;
  const sampleRate = ownRate || info?.sampleRate || 0;
  const channels = channelCode < 8 ? channelCode + 1 : 2;
  const bitDepth = BIT_DEPTHS[depthCode] || info?.bitDepth || 0;
  if (sampleRate === 0 || bitDepth === 0) return null;
  if (info !== null && (channels !== info.channels || bitDepth !== info.bitDepth || sampleRate !== info.sampleRate)) return null;
  const nominal = info?.maxBlockSize || samples; // The last frame is shorter.
  const streamInfo = info?.block ?? blockOf(samples, sampleRate, channels, bitDepth);
  const mostBytes = OVERHEAD_BYTES + Math.ceil((channels * samples * (bitDepth + 1)) / 8);
  return {
    position: isVariable ? number.value : number.value * nominal,
    samples,
    sampleRate,
    channels,
    bitDepth,
    mostBytes,
    streamInfo,
  };
}

function blockSize(code: number): number {
  if (code === 1) return 192;
  return code < 6 ? 576 << (code - 2) : 256 << (code - 8);
}

/** Reads a number that is coded like UTF-8, of up to 36 bits; null if it is none. */
function readNumber(bytes: Uint8Array, at: number): { value: number; bytes: number } | null {
  const first = bytes[at]!;
  const ones = Math.clz32(~(first << 24));
  if (ones === 0) return { value: first, bytes: 1 };
  if (ones === 1 || ones > 7) return null;
  let value = first & (0x7f >> ones);
  for (let index = 1; index < ones; index += 1) {
    const byte = bytes[at + index]!;
    if ((byte & 0xc0) !== 0x80) return null;
    value = value * 64 + (byte & 0x3f);
  }
  return { value, bytes: ones };
}

/** Returns a STREAMINFO block, with its header, of a stream that has none. */
function blockOf(samples: number, sampleRate: number, channels: number, bitDepth: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(4 + STREAM_INFO_BYTES);
  const view = new DataView(block.buffer);
  view.setUint32(0, 0x80000000 | STREAM_INFO_BYTES);
  view.setUint16(4, samples);
  view.setUint16(6, samples);
  view.setUint32(14, ((sampleRate << 12) | ((channels - 1) << 9) | ((bitDepth - 1) << 4)) >>> 0);
  return block;
}

const CRC8 = crcTable(8, 0x07);
const CRC16 = crcTable(16, 0x8005);

/** Returns the checksum of a frame (RFC 9639, section 9.3). @param crc of the bytes before. */
export function crc16(bytes: Uint8Array, crc = 0): number {
  for (const byte of bytes) crc = ((crc << 8) ^ CRC16[(crc >> 8) ^ byte]!) & 0xffff;
  return crc;
}

function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at += 1) crc = CRC8[crc ^ bytes[at]!]!;
  return crc;
}

function crcTable(bits: number, polynomial: number): Uint16Array {
  const [top, mask] = [1 << (bits - 1), (1 << bits) - 1];
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << (bits - 8);
    for (let bit = 0; bit < 8; bit += 1) crc = crc & top ? ((crc << 1) ^ polynomial) & mask : (crc << 1) & mask;
    return crc;
  });
}
