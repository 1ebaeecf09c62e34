import { ascii, joined } from "../bytes.js";

/** MIME type of what this module makes, for `MediaSource.isTypeSupported`. */
export const FLAC_IN_MP4 = 'audio/mp4; codecs="flac"';

/** One frame of FLAC. */
export interface FlacFrame {
  bytes: Uint8Array;
  /** How many samples it has in each channel. */
  samples: number;
}

/** What the container says of its audio. */
export interface TrackFormat {
  sampleRate: number;
  channels: number;
  /** Bits of a sample. */
  bits: number;
}

const TRACK = 1;

/** tfhd: offsets count from the fragment's start, and default flags follow. */
const TFHD_FLAGS = 0x020020;

/** trun: the offset of the data, and the duration and size of each sample. */
const TRUN_FLAGS = 0x000301;

/** No sample depends on another one. */
const INDEPENDENT = 0x02000000;

/** Unity matrix of tkhd and mvhd. */
const MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];

/**
 * Returns an initialization segment (ISO/IEC 14496-12 and "Encapsulation of FLAC in ISO Base Media File Format").
 *
 * @param streamInfo the metadata block STREAMINFO, with its header.
 */
export function initSegment({ sampleRate, channels, bits }: TrackFormat, streamInfo: Uint8Array): Uint8Array<ArrayBuffer> {
  // Where a rate needs more than 16 bits, its greatest part that does not stands for it.
  let rate = sampleRate;
  while (rate >= 2 ** 16) rate = rate % 2 === 0 ? rate / 2 : 2 ** 16 - 1;
  const entry = box("fLaC", u32(0), u16(0, 1), u32(0, 0), u16(channels, bits), u32(0), u16(rate, 0), fullBox("dfLa", 0, 0, streamInfo));
  const tables = [
    fullBox("stsd", 0, 0, u32(1), entry),
    fullBox("stts", 0, 0, u32(0)),
    fullBox("stsc", 0, 0, u32(0)),
    fullBox("stsz", 0, 0, u32(0, 0)),
    fullBox("stco", 0, 0, u32(0)),
  ];
  const media = box(
    "mdia",
    fullBox("mdhd", 0, 0, u32(0, 0, sampleRate, 0), u16(0x55c4, 0)), // Language "und".
    fullBox("hdlr", 0, 0, u32(0), ascii("soun"), u32(0, 0, 0), Uint8Array.of(0)),
    box(
      "minf",
      fullBox("smhd", 0, 0, u32(0)),
      box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1))),
      box("stbl", ...tables),
    ),
  );
  return joined(
    box("ftyp", ascii("iso5"), u32(0), ascii("iso5iso6mp41")),
    box(
      "moov",
      fullBox("mvhd", 0, 0, u32(0, 0, 1000, 0, 0x10000), u16(0x100, 0), u32(0, 0), u32(...MATRIX), u32(0, 0, 0, 0, 0, 0), u32(TRACK + 1)),
      box(
        "trak",
        fullBox("tkhd", 0, 3, u32(0, 0, TRACK, 0, 0), u32(0, 0), u16(0, 0, 0x100, 0), u32(...MATRIX), u32(0, 0)),
        media,
      ),
      box("mvex", fullBox("trex", 0, 0, u32(TRACK, 1, 0, 0, 0))),
    ),
  );
}

/**
 * Returns a media segment.
 *
 * @param at number of the first sample.
 */
export function mediaSegment(frames: readonly FlacFrame[], at: number): Uint8Array<ArrayBuffer> {
  const fragment = (dataOffset: number): Uint8Array<ArrayBuffer> =>
    box(
      "moof",
      fullBox("mfhd", 0, 0, u32(1)),
      box(
        "traf",
        fullBox("tfhd", 0, TFHD_FLAGS, u32(TRACK, INDEPENDENT)),
        fullBox("tfdt", 1, 0, u32(Math.floor(at / 2 ** 32), at % 2 ** 32)),
        fullBox("trun", 0, TRUN_FLAGS, u32(frames.length, dataOffset), u32(...frames.flatMap(({ bytes, samples }) => [samples, bytes.length]))),
      ),
    );
  const mdat = box("mdat", ...frames.map(({ bytes }) => bytes));
  return joined(fragment(fragment(0).length + 8), mdat);
}

function box(name: string, ...content: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = content.reduce((sum, { length }) => sum + length, 8);
  return joined(u32(size), ascii(name), ...content);
}

function fullBox(name: string, version: number, flags: number, ...content: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return box(name, u32(version * 2 ** 24 + flags), ...content);
}

function u16(...numbers: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(numbers.flatMap((number) => [number >> 8, number]));
}

function u32(...numbers: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setUint32(4 * index, number));
  return bytes;
}
