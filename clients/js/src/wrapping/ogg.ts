import type CodecParser from "codec-parser";
import type { CodecFrame, OggPage, OpusHeader } from "codec-parser";
import { ascii, indexOf } from "../bytes.js";
import { offsetAfter, slices, type Frame, type FrameReader } from "./frame.js";
import { LinkTimes } from "./times.js";

const OPUS_TAGS = ascii("OpusTags");
const OPUS_RATE = 48000;

/** A logical stream: what its decoder needs first, and its own time. */
interface Stream {
  codec: string;
  /** The pages of its header. */
  header: Uint8Array<ArrayBuffer>[];
  hasAudio: boolean;
}

/** Reads Ogg with Opus, Vorbis or FLAC. A page says where in the audio it ends. */
export class OggReader implements FrameReader {
  readonly exact = true;
  readonly #Parser: typeof CodecParser;
  readonly #times = new LinkTimes();
  readonly #streams = new Map<number, Stream>();
  #parser: CodecParser<OggPage>;
  #syncBytes = 0;
  #fed = 0;
  #end = 0;
  /** Pages to come that are those of the headers, fed again after a restart. */
  #repeated = 0;
  /** Position after the last frame, in samples of its stream; null where that is unknown. */
  #position: number | null = null;

  constructor(Parser: typeof CodecParser) {
    this.#Parser = Parser;
    this.#parser = this.#created();
  }

  get syncBytes(): number {
    return this.#syncBytes;
  }

  read(bytes: Uint8Array<ArrayBuffer>): Frame[] {
    const frames: Frame[] = [];
    for (const slice of slices(bytes)) {
      this.#fed += slice.length;
      this.#feed(slice, frames);
    }
    return frames;
  }

  finish(): Frame[] {
    const frames: Frame[] = [];
    // A page is complete with the first byte after it.
    this.#feed(new Uint8Array(1), frames);
    return frames;
  }

  restart(offset: number, seconds: number): void {
    this.#parser = this.#created();
    this.#fed = this.#end = offset;
    this.#position = null;
    this.#times.restart(offset, seconds);
    this.#repeated = 0;
    if (offset === 0) return;
    const ignored: Frame[] = [];
    for (const { header } of this.#streams.values()) {
      this.#repeated += header.length;
      for (const page of header) this.#feed(page, ignored);
    }
  }

  #created(): CodecParser<OggPage> {
    return new this.#Parser<OggPage>("audio/ogg", { enableFrameCRC32: false });
  }

  #feed(bytes: Uint8Array<ArrayBuffer>, frames: Frame[]): void {
    for (const page of this.#parser.parseChunk(bytes) as unknown as Iterable<OggPage>) {
      if (this.#repeated > 0) this.#repeated -= 1;
      else this.#take(page, frames);
    }
  }

  #take(page: OggPage, frames: Frame[]): void {
    const start = this.#end;
    this.#end = offsetAfter(start, page.rawData.length, this.#fed);
    this.#syncBytes = Math.max(this.#syncBytes, page.rawData.length);
    const serial = page.streamSerialNumber;
    if (page.isFirstPage && this.#parser.codec) {
      if (!this.#streams.has(serial)) this.#streams.set(serial, { codec: this.#parser.codec, header: [], hasAudio: false });
      this.#times.begin(start);
      this.#position = null;
    }
    const stream = this.#streams.get(serial);
    if (stream === undefined) return; // Of no audio that is known here.
    // Failed headers are undefined; the tags of Opus pass for a packet if they take more than a page.
    const found = page.codecFrames.filter((frame) => frame !== undefined && indexOf(frame.data.subarray(0, 8), OPUS_TAGS) < 0);
    if (found.length === 0) {
      if (!stream.hasAudio) stream.header.push(page.rawData.slice());
      return;
    }
    stream.hasAudio = true;
    // The end of a packet that began before the restart. FLAC's frames are recognised by themselves.
    if (this.#position === null && page.isContinuedPacket && stream.codec !== "flac") found.shift();
    this.#place(page, found, stream.codec, frames);
  }

  /** Gives frames their times: a page has the position of its end (its granule position). */
  #place(page: OggPage, found: CodecFrame[], codec: string, frames: Frame[]): void {
    const lengths = found.map((frame) => (codec === "opus" ? opusSamples(frame) : frame.samples));
    const length = lengths.reduce((sum, samples) => sum + samples, 0);
    const byPage = Math.max(0, Number(page.absoluteGranulePosition) - length);
    // The last page may end within its last frame.
    let position = this.#position === null || !page.isLastPage ? byPage : this.#position;
    found.forEach(({ data, header }, index) => {
      const { sampleRate } = header;
      const samples = lengths[index]!;
      const time = this.#times.at(position / sampleRate, samples / sampleRate);
      position += samples;
      frames.push({ data, header, samples, sampleRate, time, end: this.#end, settings: `${codec}/${page.streamSerialNumber}` });
    });
    this.#position = position;
  }
}

/** Returns the samples of a packet of Opus, with those that are skipped at the start of a stream. */
function opusSamples({ header }: CodecFrame): number {
  const { frameSize, frameCount } = header as OpusHeader & { frameSize: number; frameCount: number };
  return (frameSize * frameCount * OPUS_RATE) / 1000;
}
