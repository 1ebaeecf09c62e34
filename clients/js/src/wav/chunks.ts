/** Bytes that the tests of this module look at, from the start of a chunk. */
export const LOOKAHEAD_BYTES = 20;

/** Chunks that may follow samples are shorter: covers and XML have up to a few megabytes. */
const MAX_TRAILER_BYTES = 16 * 1024 * 1024;

const CHUNK_HEADER_BYTES = 8;

/** A test whether the bytes at `at` are the content of a chunk of `size` bytes. */
type ContentTest = (view: DataView, at: number, size: number) => boolean;

const isText =
  (...texts: string[]): ContentTest =>
  (view, at) =>
    texts.some((text) => [...text].every((character, index) => byteAt(view, at + index) === character.charCodeAt(0)));

const isZero: ContentTest = (view, at, size) => size >= 8 && view.getFloat64(at) === 0;

/** Chunks that are found behind samples, and what their content looks like, so that no sound is taken for one. */
const TRAILERS: Readonly<Record<string, ContentTest>> = {
  LIST: isText("INFO", "adtl", "wavl", "exif"),
  list: isText("INFO", "adtl"),
  "id3 ": isText("ID3"),
  "ID3 ": isText("ID3"),
  fact: (_view, _at, size) => size === 4,
  bext: (view, at, size) => size >= 602 && size < 65536 && isAscii(view, at, 4),
  "cue ": (view, at, size) => size === 4 + 24 * view.getUint32(at, true),
  PEAK: (view, at, size) => size <= 72 && view.getUint32(at, true) === 1,
  smpl: (_view, _at, size) => size >= 36 && size % 4 === 0 && size < 4096,
  inst: (_view, _at, size) => size === 7,
  JUNK: isZero,
  junk: isZero,
  "PAD ": isZero,
  FLLR: isZero,
  afsp: isText("AFsp"),
  iXML: isText("<"),
  axml: isText("<"),
  _PMX: isText("<"),
  DISP: (view, at) => view.getUint32(at, true) === 1,
};

const FILES = ["RIFF", "RF64", "BW64"];

/** Marks the first two bytes of all chunks that are searched for, so that the search costs next to nothing. */
const FIRST_BYTES = new Uint8Array(2 ** 16);
for (const name of [...FILES, ...Object.keys(TRAILERS)]) FIRST_BYTES[name.charCodeAt(0) * 256 + name.charCodeAt(1)] = 1;

/** Returns the name of the chunk that would start at `at`. */
export function nameAt(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => byteAt(view, at + index)));
}

/** Whether a WAV file starts at `at`: RIFF, or RF64 or BW64 for more than 4 GiB (EBU Tech 3306, ITU-R BS.2088). */
export function isRiff(view: DataView, at: number): boolean {
  return at + 12 <= view.byteLength && FILES.includes(nameAt(view, at)) && nameAt(view, at + 8) === "WAVE";
}

/**
 * Whether a chunk starts at `at` that is known to follow samples, judged by its name, size and content: where samples
 * may go on as well, one place in 2^48 at most is taken for a chunk by mistake.
 */
export function isTrailer(view: DataView, at: number): boolean {
  const content = at + CHUNK_HEADER_BYTES;
  if (content > view.byteLength) return false;
  const test = TRAILERS[nameAt(view, at)];
  if (test === undefined) return false;
  const size = view.getUint32(at + 4, true);
  if (size > MAX_TRAILER_BYTES) return false;
  // The end of the audio may cut a chunk short.
  return content + 8 > view.byteLength || test(view, content, size);
}

/** Whether a chunk of any name may start at `at`. Samples pass for one easily: for places where a chunk is expected. */
export function isChunk(view: DataView, at: number): boolean {
  if (at + CHUNK_HEADER_BYTES > view.byteLength || view.getUint32(at + 4, true) > MAX_TRAILER_BYTES) return false;
  return isAscii(view, at, 4);
}

/** Returns the first place from `from` to before `to` where a WAV file or a trailing chunk starts; `to` if none does. */
export function findChunk(bytes: Uint8Array, view: DataView, from: number, to: number): number {
  for (let at = from; at < to; at += 1) {
    if (FIRST_BYTES[(bytes[at]! << 8) | (bytes[at + 1] ?? 0)] === 1 && (isRiff(view, at) || isTrailer(view, at))) return at;
  }
  return to;
}

function isAscii(view: DataView, at: number, length: number): boolean {
  for (let index = 0; index < length; index += 1) {
    const byte = byteAt(view, at + index);
    if (byte < 0x20 || byte > 0x7e) return false;
  }
  return true;
}

/** Returns 0 after the end. */
function byteAt(view: DataView, at: number): number {
  return at < view.byteLength ? view.getUint8(at) : 0;
}
