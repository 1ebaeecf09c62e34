import { joined } from "./bytes.js";
import type { PcmFormat } from "./riff.js";

type SampleReader = (view: DataView, at: number) => number;

/** Decodes PCM, in pieces that may end anywhere, to samples from -1 to 1. */
export class PcmDecoder {
  readonly #format: PcmFormat;
  readonly #read: SampleReader;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(format: PcmFormat) {
    this.#format = format;
    this.#read = readerOf(format);
  }

  /** Drops an incomplete frame. */
  reset(): void {
    this.#rest = new Uint8Array(0);
  }

  /** Returns the samples of each channel. An incomplete frame is kept for the next piece. */
  decode(piece: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer>[] {
    const { channels, bytesPerFrame, bitsPerSample } = this.#format;
    const bytes = this.#rest.length === 0 ? piece : joined(this.#rest, piece);
    const frames = Math.floor(bytes.length / bytesPerFrame);
    this.#rest = bytes.slice(frames * bytesPerFrame);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: channels }, (_, channel) => {
      const samples = new Float32Array(frames);
      const first = (channel * bitsPerSample) / 8;
      for (let frame = 0; frame < frames; frame += 1) samples[frame] = this.#read(view, first + frame * bytesPerFrame);
      return samples;
    });
  }
}

function readerOf(format: PcmFormat): SampleReader {
  if (format.float) {
    return format.bitsPerSample === 64
      ? (view, at) => view.getFloat64(at, true)
      : (view, at) => view.getFloat32(at, true);
  }
  switch (format.bitsPerSample) {
    case 8:
      return (view, at) => (view.getUint8(at) - 0x80) / 0x80;
    case 16:
      return (view, at) => view.getInt16(at, true) / 0x8000;
    case 24:
      return (view, at) => (view.getInt16(at + 1, true) * 0x100 + view.getUint8(at)) / 0x800000;
    default:
      return (view, at) => view.getInt32(at, true) / 0x80000000;
  }
}

