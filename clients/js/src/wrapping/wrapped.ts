import { ElementaryReader } from "./elementary.js";
import { FlacReader } from "./flac.js";
import type { FrameReader } from "./frame.js";
import { FlacMuxer } from "./flac_muxer.js";
import { Muxer, type FrameMuxer } from "./muxer.js";
import { FramesAsTheyAre } from "./native.js";
import { OggReader } from "./ogg.js";
import type { Segment, Transform } from "./transform.js";

/** What is read, and what is wrapped into what. */
export interface Rewrapping {
  framing: "mpeg" | "aac" | "ogg" | "flac";
  codec: "mpeg" | "aac" | "opus" | "vorbis" | "flac";
  container: "mp4" | "webm";
}

/** Bytes without a frame after which there is none. Covers take a few megabytes. */
const MAX_SILENT_BYTES = 32 * 1024 * 1024;

/** Wraps the frames of a stream into a container that Media Source takes. */
export class Wrapped implements Transform {
  readonly timed: boolean;
  readonly #reader: FrameReader;
  readonly #muxer: FrameMuxer;
  #silentBytes = 0;
  #hasFrames = false;

  /** @param timed whether the container has timestamps. */
  constructor(reader: FrameReader, muxer: FrameMuxer, timed = true) {
    this.timed = timed;
    this.#reader = reader;
    this.#muxer = muxer;
  }

  get exact(): boolean {
    return this.#reader.exact;
  }

  get syncBytes(): number {
    return this.#reader.syncBytes;
  }

  push(bytes: Uint8Array<ArrayBuffer>): Segment[] {
    const frames = this.#reader.read(bytes);
    this.#hasFrames ||= frames.length > 0;
    this.#silentBytes = frames.length > 0 ? 0 : this.#silentBytes + bytes.length;
    if (this.#silentBytes > MAX_SILENT_BYTES) throw new Error("No frames were found.");
    return this.#muxer.wrap(frames);
  }

  flush(): Segment[] {
    const frames = this.#reader.finish();
    this.#hasFrames ||= frames.length > 0;
    if (!this.#hasFrames) throw new Error("No frames were found.");
    return this.#muxer.wrap(frames);
  }

  restart(offset: number, seconds: number): void {
    this.#silentBytes = 0;
    this.#muxer.restart();
    this.#reader.restart(offset, seconds);
  }
}

/** Returns what passes on MP3 or AAC as it is. */
export function asItIs(codec: "mpeg" | "aac"): Wrapped {
  return new Wrapped(new ElementaryReader(codec), new FramesAsTheyAre(), false);
}

/** Returns what wraps that audio. Libraries are loaded where they are needed: FLAC needs none. */
export function rewrapping(how: Rewrapping): Wrapped | Promise<Wrapped> {
  return how.framing === "flac" ? new Wrapped(new FlacReader(), new FlacMuxer()) : load(how.framing, how);
}

async function load(framing: "mpeg" | "aac" | "ogg", { codec, container }: Rewrapping): Promise<Wrapped> {
  const { CodecParser, MSEAudioWrapper } = await import("./library.js");
  const reader = framing === "ogg" ? new OggReader(CodecParser) : new ElementaryReader(framing);
  return new Wrapped(reader, codec === "flac" ? new FlacMuxer() : new Muxer(MSEAudioWrapper, { codec, container }));
}
