/** PCM format of a WAV file. */
export interface PcmFormat {
  /** Samples per second and channel. */
  sampleRate: number;
  channels: number;
  /** 8 (unsigned), 16, 24 or 32 for integers; 32 or 64 for floating point. */
  bitsPerSample: 8 | 16 | 24 | 32 | 64;
  float: boolean;
  /** Bytes of one sample in all channels. */
  bytesPerFrame: number;
  /** Offset of the first sample in the file. */
  dataOffset: number;
  /** Bytes of samples; null if the header does not say, as in a file that is still being written. */
  dataBytes: number | null;
}

const PCM = 1;
const IEEE_FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const UNKNOWN_SIZES = new Set([0, 0xffffffff]);

/**
 * Parses the header of a WAV file.
 *
 * @param bytes the beginning of the file.
 * @returns the format; `"more"` if `bytes` ends before the samples; null if it is not a WAV file with PCM.
 */
export function parseRiff(bytes: Uint8Array): PcmFormat | "more" | null {
  if (bytes.length < 12) return "more";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (!["RIFF", "RF64"].includes(name(0)) || name(8) !== "WAVE") return null;
  let format: Omit<PcmFormat, "dataOffset" | "dataBytes"> | null = null;
  let at = 12;
  while (at + 8 <= bytes.length) {
    const size = view.getUint32(at + 4, true);
    const content = at + 8;
    if (name(at) === "data") {
      if (format === null) return null;
      return { ...format, dataOffset: content, dataBytes: UNKNOWN_SIZES.has(size) ? null : size };
    }
    if (name(at) === "fmt ") {
      if (content + size > bytes.length) return "more";
      format = readFormat(view, content, size);
      if (format === null) return null;
    }
    at = content + size + (size % 2); // Chunks start at even offsets.
  }
  return "more";
}

function readFormat(
  view: DataView,
  at: number,
  size: number,
): Omit<PcmFormat, "dataOffset" | "dataBytes"> | null {
  if (size < 16) return null;
  let tag = view.getUint16(at, true);
  // The extensible format has the actual tag at the start of a GUID.
  if (tag === EXTENSIBLE && size >= 26) tag = view.getUint16(at + 24, true);
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const bitsPerSample = view.getUint16(at + 14, true);
  const float = tag === IEEE_FLOAT;
  const known: readonly number[] = float ? [32, 64] : tag === PCM ? [8, 16, 24, 32] : [];
  if (!known.includes(bitsPerSample) || channels === 0 || sampleRate === 0) return null;
  return {
    sampleRate,
    channels,
    bitsPerSample: bitsPerSample as PcmFormat["bitsPerSample"],
    float,
    bytesPerFrame: (channels * bitsPerSample) / 8,
  };
}
