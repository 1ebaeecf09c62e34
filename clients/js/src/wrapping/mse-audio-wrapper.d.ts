declare module "mse-audio-wrapper" {
  /** A frame as codec-parser makes it; only what the wrapper reads. */
  export interface WrappableFrame {
    data: Uint8Array;
    /** codec-parser's header of the frame. */
    header: object;
    samples: number;
    /** Position of the first sample: WebM's timestamps are made of it. */
    totalSamples: number;
  }

  export default class MSEAudioWrapper {
    constructor(
      mimeType: string,
      options?: {
        codec?: "aac" | "flac" | "mpeg" | "opus" | "vorbis";
        preferredContainer?: "webm" | "fmp4";
        minFramesPerSegment?: number;
        maxFramesPerSegment?: number;
        minBytesPerSegment?: number;
      },
    );
    /** Yields the initialization segment, once, and media segments. */
    iterator(frames: WrappableFrame[]): IterableIterator<Uint8Array<ArrayBuffer>>;
  }
}
