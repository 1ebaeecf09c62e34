/** The header of an MPEG audio frame (ISO/IEC 11172-3, 13818-3) or of an ADTS frame (ISO/IEC 13818-7). */
export interface FrameHeader {
  format: "mpeg" | "adts";
  /** Length of the whole frame. */
  bytes: number;
  /** Samples of one channel. */
  samples: number;
  sampleRate: number;
  /** Offset in the frame of a Xing header, if it has one; 0 for ADTS. */
  xingAt: number;
}

/** Bytes that {@link frameHeader} needs. */
export const FRAME_HEADER_BYTES = 6;

/** kbit/s by index, for layers I, II and III of MPEG-1, layer I and layers II and III of MPEG-2. */
const BIT_RATES = {
  v1: [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  v2: [
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
} as const;
const MPEG_RATES = [44100, 48000, 32000];
const ADTS_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
const ADTS_SAMPLES = 1024;

/** Parses the frame header at `at`; null if there is none, or of a frame whose length it does not say. */
export function frameHeader(bytes: Uint8Array, at: number): FrameHeader | null {
  if (at + FRAME_HEADER_BYTES > bytes.length || bytes[at] !== 0xff) return null;
  const second = bytes[at + 1]!;
  if ((second & 0xf6) === 0xf0) return adtsHeader(bytes, at);
  return (second & 0xe0) === 0xe0 ? mpegHeader(bytes, at) : null;
}

function mpegHeader(bytes: Uint8Array, at: number): FrameHeader | null {
  const [second, third, fourth] = [bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
  const version = (second >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const layer = 4 - ((second >> 1) & 3);
  const rate = MPEG_RATES[(third >> 2) & 3];
  if (version === 1 || layer === 4 || rate === undefined) return null;
  const kilobits = BIT_RATES[version === 3 ? "v1" : "v2"][layer - 1]![third >> 4];
  if (kilobits === undefined || kilobits === 0) return null;
  const sampleRate = version === 3 ? rate : version === 2 ? rate / 2 : rate / 4;
  const samples = layer === 1 ? 384 : layer === 3 && version !== 3 ? 576 : 1152;
  const unit = layer === 1 ? 4 : 1;
  const length = (Math.floor(((samples / 8 / unit) * kilobits * 1000) / sampleRate) + ((third >> 1) & 1)) * unit;
  const mono = fourth >> 6 === 3;
  const sideInfo = version === 3 ? (mono ? 17 : 32) : mono ? 9 : 17;
  return { format: "mpeg", bytes: length, samples, sampleRate, xingAt: 4 + sideInfo };
}

function adtsHeader(bytes: Uint8Array, at: number): FrameHeader | null {
  const sampleRate = ADTS_RATES[(bytes[at + 2]! >> 2) & 15];
  const length = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
  if (sampleRate === undefined || length < 7) return null;
  return { format: "adts", bytes: length, samples: ADTS_SAMPLES, sampleRate, xingAt: 0 };
}

/** Returns the length of the ID3v2 tag at `at`, with its header; 0 if there is none. */
export function id3Length(bytes: Uint8Array, at: number): number {
  if (at + 10 > bytes.length || bytes[at] !== 0x49 || bytes[at + 1] !== 0x44 || bytes[at + 2] !== 0x33) return 0;
  const size = [6, 7, 8, 9].reduce((sum, index) => sum * 128 + (bytes[at + index]! & 127), 0);
  const hasFooter = (bytes[at + 5]! & 0x10) !== 0;
  return size + (hasFooter ? 20 : 10);
}
