import { ascii, indexOf } from "../bytes.js";
import type { Frame } from "./frame.js";
import type { Segment } from "./transform.js";

/** What frames are of, and what they are wrapped in. */
export interface Wrapping {
  codec: "aac" | "mpeg" | "opus" | "vorbis";
  container: "webm" | "mp4";
}

/** Most frames, bytes and seconds of a segment: the times within a WebM cluster have 16 bits. */
const MAX_FRAMES = 50;
const MAX_BYTES = 64 * 1024;
const MAX_SECONDS = 0.5;

/** Frames whose times differ by more from what the ones before say do not share a segment, in seconds. */
const MAX_DRIFT_SECONDS = 0.001;

/** Where the time of a fragment stands, from the name of its box on: after version and flags (ISO/IEC 14496-12, 8.8.12). */
const FRAGMENT_TIME = ascii("tfdt");
const FRAGMENT_TIME_OFFSET = 8;
const FRAGMENT_HEADER_BYTES = 128;

/** The start of a WebM cluster, and of the timestamp that follows its size (RFC 9559, section 5.1.3). */
const CLUSTER = Uint8Array.of(0x1f, 0x43, 0xb6, 0x75);
const TIMESTAMP = 0xe7;

const INPUT_TYPES = { aac: "audio/aac", mpeg: "audio/mpeg", opus: "audio/ogg", vorbis: "audio/ogg" };

/** Wraps frames into a container, with their times. */
export interface FrameMuxer {
  /** Returns the frames wrapped. */
  wrap(frames: Frame[]): Segment[];
  /** The next segment starts with the header of the container. */
  restart(): void;
}

/** Wraps frames with their positions, `totalSamples`. */
interface Wrapper {
  iterator(frames: (Frame & { totalSamples: number })[]): Iterable<Uint8Array<ArrayBuffer>>;
}

/** What is used of mse-audio-wrapper, which has no types of its own: declared here for those who import this package's. */
export type WrapperClass = new (
  mimeType: string,
  options: {
    codec: Wrapping["codec"];
    preferredContainer: "webm" | "fmp4";
    minFramesPerSegment: number;
    maxFramesPerSegment: number;
    minBytesPerSegment: number;
  },
) => Wrapper;

/** Wraps frames by mse-audio-wrapper. */
export class Muxer implements FrameMuxer {
  readonly #Wrapper: WrapperClass;
  readonly #wrapping: Wrapping;
  #wrapper: Wrapper | null = null;
  #settings = "";

  constructor(Wrapper: WrapperClass, wrapping: Wrapping) {
    this.#Wrapper = Wrapper;
    this.#wrapping = wrapping;
  }

  restart(): void {
    this.#wrapper = null;
  }

  wrap(frames: Frame[]): Segment[] {
    // The library states the length of frames once for all, in the header of MP4.
    const alike = this.#wrapping.container === "webm" ? frames : frames.map(withLength);
    return groups(alike).flatMap((group) => this.#segments(group));
  }

  #segments(group: Frame[]): Segment[] {
    const [first, last] = [group[0]!, group.at(-1)!];
    const { settings } = first;
    if (this.#wrapper === null || settings !== this.#settings) this.#wrapper = this.#created();
    this.#settings = settings;
    const { container } = this.#wrapping;
    // The library counts in samples for MP4, and in whole nanoseconds per sample for WebM.
    const scale = container === "webm" ? 1e9 / Math.floor(1e9 / first.sampleRate) : first.sampleRate;
    const wrappable = group.map((frame) => ({ ...frame, totalSamples: Math.round(frame.time * scale) }));
    const all = [...this.#wrapper.iterator(wrappable)];
    for (const bytes of all) {
      if (container === "mp4") setFragmentTime(bytes, wrappable[0]!.totalSamples);
      else mendTimestamp(bytes);
    }
    return all.map((bytes) => ({ bytes, end: last.end }));
  }

  #created(): Wrapper {
    const { codec, container } = this.#wrapping;
    return new this.#Wrapper(INPUT_TYPES[codec], {
      codec,
      preferredContainer: container === "mp4" ? "fmp4" : "webm",
      minFramesPerSegment: 1,
      minBytesPerSegment: 1,
      maxFramesPerSegment: MAX_FRAMES,
    });
  }
}

function withLength(frame: Frame): Frame {
  return { ...frame, settings: `${frame.settings}/${frame.samples}` };
}

/** Returns runs of frames that fit into a segment each. */
export function groups(frames: Frame[]): Frame[][] {
  const all: Frame[][] = [];
  let [bytes, expected] = [0, 0];
  for (const frame of frames) {
    const group = all.at(-1);
    const first = group?.[0];
    const fits =
      group !== undefined &&
      first !== undefined &&
      group.length < MAX_FRAMES &&
      bytes + frame.data.length <= MAX_BYTES &&
      frame.time - first.time < MAX_SECONDS &&
      frame.settings === first.settings &&
      Math.abs(frame.time - expected) < MAX_DRIFT_SECONDS;
    if (fits) group.push(frame);
    else all.push([frame]);
    bytes = frame.data.length + (fits ? bytes : 0);
    expected = frame.time + frame.samples / frame.sampleRate;
  }
  return all;
}

/** Sets the time of a fragment, for which the library writes 0. Leaves other segments alone. */
function setFragmentTime(segment: Uint8Array<ArrayBuffer>, samples: number): void {
  const at = indexOf(segment.subarray(0, FRAGMENT_HEADER_BYTES), FRAGMENT_TIME);
  if (at >= 0) new DataView(segment.buffer, segment.byteOffset).setUint32(at + FRAGMENT_TIME_OFFSET, samples);
}

/**
 * Mends the timestamp of a cluster. The library writes it like a size, whose highest bit that is set tells how many bytes
 * it has (RFC 8794, section 4). It is a plain number.
 */
function mendTimestamp(segment: Uint8Array): void {
  if (indexOf(segment.subarray(0, CLUSTER.length), CLUSTER) !== 0) return;
  const at = segment.indexOf(TIMESTAMP, CLUSTER.length + Math.clz32(segment[CLUSTER.length]!) - 23);
  const length = segment[at + 1]! & 0x7f;
  segment[at + 2]! &= ~(0x80 >> (length - 1));
}
