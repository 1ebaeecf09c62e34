import { joined } from "../bytes.js";
import { initSegment, mediaSegment } from "../wav/mp4.js";
import { groups, type FrameMuxer } from "./muxer.js";
import type { Frame } from "./frame.js";
import type { Segment } from "./transform.js";

/** Wraps FLAC into fragmented MP4. */
export class FlacMuxer implements FrameMuxer {
  #settings = "";

  restart(): void {
    this.#settings = "";
  }

  wrap(frames: Frame[]): Segment[] {
    return groups(frames).map((group) => {
      const [first, last] = [group[0]!, group.at(-1)!];
      const at = Math.round(first.time * first.sampleRate);
      const media = mediaSegment(group.map(({ data: bytes, samples }) => ({ bytes, samples })), at);
      const bytes = first.settings === this.#settings ? media : joined(headerOf(first), media);
      this.#settings = first.settings;
      return { bytes, end: last.end };
    });
  }
}

/** Returns the container's header, with the frame's STREAMINFO as its last block of metadata. */
function headerOf({ header }: Frame): Uint8Array<ArrayBuffer> {
  const { sampleRate, channels, bitDepth, streamInfo } = header as FlacHeader;
  return initSegment({ sampleRate, channels, bits: bitDepth }, Uint8Array.of(0x80, ...streamInfo.subarray(1)));
}

/** What is used of a frame's header, as FlacReader and codec-parser make it. */
interface FlacHeader {
  sampleRate: number;
  channels: number;
  bitDepth: number;
  streamInfo: Uint8Array;
}
