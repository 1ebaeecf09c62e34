import type { BoundaryFinder } from "../containers.js";
import { WavToFlac } from "../wav/transform.js";
import { Container } from "./native.js";
import type { Transform } from "./transform.js";
import { asItIs, rewrapping, type Rewrapping } from "./wrapped.js";

/** How bytes of the stream become what Media Source takes. */
export type Feed =
  /** Their frames are taken as they are. */
  | { kind: "frames"; codec: "mpeg" | "aac" }
  /** They are taken as they are, from a boundary on, after the header. `start` is their first timestamp, in seconds. */
  | { kind: "container"; headerBytes: number; boundary: BoundaryFinder; start: number }
  /** They are WAV, which becomes FLAC in fragmented MP4. */
  | { kind: "wav" }
  /** Their frames are wrapped into another container. */
  | ({ kind: "wrapped" } & Rewrapping);

/** Returns what turns bytes into segments; a promise where it has to be loaded. */
export function transformOf(feed: Feed): Transform | Promise<Transform> {
  switch (feed.kind) {
    case "frames":
      return asItIs(feed.codec);
    case "container":
      return new Container(feed.headerBytes, feed.boundary, feed.start);
    case "wav":
      return new WavToFlac();
    case "wrapped":
      return rewrapping(feed);
  }
}
