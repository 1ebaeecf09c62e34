/** How the samples of a WAV file are stored. */
export interface WavFormat {
  encoding: "integer" | "float" | "a-law" | "mu-law";
  /** Samples per second and channel, 1 to 655,350. */
  sampleRate: number;
  /** 1 to 8. */
  channels: number;
  /** Bytes of one sample in one channel: 1 (unsigned), 2, 3 or 4 for integers, 4 or 8 for floats, 1 for A-law and mu-law. */
  sampleBytes: number;
  /** Bytes of one sample in all channels. */
  frameBytes: number;
}

/** Most samples per second and channels: the limits of FLAC (RFC 9639, sections 8.2 and 9.1.3). */
const MAX_SAMPLE_RATE = 655_350;
const MAX_CHANNELS = 8;

const EXTENSIBLE = 0xfffe;
const ENCODINGS = new Map<number, readonly [WavFormat["encoding"], readonly number[]]>([
  [1, ["integer", [1, 2, 3, 4]]],
  [3, ["float", [4, 8]]],
  [6, ["a-law", [1]]],
  [7, ["mu-law", [1]]],
]);

/** Shortest content of a `fmt ` chunk, and the part of the longest one that matters. */
export const MIN_FORMAT_BYTES = 16;
export const MAX_FORMAT_BYTES = 40;

/**
 * Reads the content of a `fmt ` chunk (WAVEFORMATEX).
 *
 * @param view at least {@link MIN_FORMAT_BYTES}.
 * @returns the format; null if its samples cannot be decoded here.
 */
export function readFormat(view: DataView): WavFormat | null {
  let tag = view.getUint16(0, true);
  // The extensible format has the actual tag at the start of a GUID.
  if (tag === EXTENSIBLE && view.byteLength >= 26) tag = view.getUint16(24, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const [encoding, sizes] = ENCODINGS.get(tag) ?? [];
  if (encoding === undefined || sizes === undefined) return null;
  if (channels < 1 || channels > MAX_CHANNELS || sampleRate < 1 || sampleRate > MAX_SAMPLE_RATE) return null;
  // Samples of, say, 20 bits are stored in the upper bits of 3 bytes, or of as many as the alignment says.
  const least = Math.ceil(view.getUint16(14, true) / 8);
  const aligned = view.getUint16(12, true) / channels;
  const sampleBytes = sizes.includes(aligned) && aligned >= least ? aligned : least;
  if (!sizes.includes(sampleBytes)) return null;
  return { encoding, sampleRate, channels, sampleBytes, frameBytes: channels * sampleBytes };
}
