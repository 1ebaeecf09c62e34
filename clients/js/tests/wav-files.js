// WAV files as tests need them: whole, cut, wrong and made up.

export const text = (string) => [...string].map((character) => character.charCodeAt(0));
export const u16 = (value) => [value & 0xff, (value >> 8) & 0xff];
export const u32 = (value) => [...u16(value & 0xffff), ...u16(value >>> 16)];
export const u64 = (value) => [...u32(value % 2 ** 32), ...u32(Math.floor(value / 2 ** 32))];

/** A chunk with its padding. */
export const chunk = (name, content, { size = content.length, pad = true } = {}) => [
  ...text(name),
  ...u32(size),
  ...content,
  ...(pad && content.length % 2 ? [0] : []),
];

export const LIST = chunk("LIST", text("INFOISFT\x0e\0\0\0Lavf60.16.100\0"));

/** The chunk with the format. */
export function format({ tag = 1, channels = 1, rate = 8000, bits = 16, align = (channels * bits) / 8, more = [] } = {}) {
  return chunk("fmt ", [...u16(tag), ...u16(channels), ...u32(rate), ...u32(rate * align), ...u16(align), ...u16(bits), ...more]);
}

/** The file's first chunk and those before the samples. */
export function header({ riff = "RIFF", riffSize = 0xffffffff, before = [], dataSize = 0xffffffff, ...more } = {}) {
  return [...text(riff), ...u32(riffSize), ...text("WAVE"), ...before, ...format(more), ...text("data"), ...u32(dataSize)];
}

/** A whole file whose sizes are right. */
export function file({ samples, after = [], ...more }) {
  const pad = samples.length % 2 ? [0] : [];
  const head = header({ ...more, dataSize: samples.length });
  const all = [...head, ...samples, ...pad, ...after];
  all.splice(4, 4, ...u32(all.length - 8));
  return all;
}

/** Random numbers from 0 to 1, the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many random bytes. */
export const noise = (length, seed = 1) => {
  const next = random(seed);
  return Array.from({ length }, () => Math.floor(next() * 256));
};

/** Bytes in random pieces of 0 to `longest` bytes. */
export function* pieces(bytes, seed, longest = 50) {
  const next = random(seed);
  for (let at = 0; at < bytes.length; ) {
    const length = Math.floor(next() * (longest + 1));
    yield Uint8Array.from(bytes.slice(at, at + length));
    at += length;
  }
}
