import assert from "node:assert/strict";
import { test } from "node:test";

import { WavParser } from "../dist/wav/parser.js";
import { chunk, file, format, header, LIST, noise, pieces, random, text, u16, u32, u64 } from "./wav-files.js";

/** What is heard of a stream that arrives in those pieces: bytes of samples, formats, faults. */
function heard(parts, { total } = {}) {
  const parser = new WavParser();
  if (total !== undefined) parser.setTotal(total);
  const events = [...parts].flatMap((part) => parser.push(part));
  events.push(...parser.end());
  return {
    samples: events.filter(({ kind }) => kind === "samples").flatMap(({ bytes }) => [...bytes]),
    formats: events.filter(({ kind }) => kind === "run").map(({ run }) => run.format),
    faults: events.filter(({ kind }) => kind === "failed").map(({ reason }) => reason),
    events,
  };
}

const whole = (bytes) => [Uint8Array.from(bytes)];

/** Checks what is heard of a stream, whatever the pieces it arrives in. */
function hears(bytes, samples, options = {}) {
  const once = heard(whole(bytes), options);
  assert.deepEqual(once.faults, []);
  assert.equal(once.samples.length, samples.length);
  assert.deepEqual(once.samples, samples);
  for (let seed = 0; seed < 20; seed += 1) {
    const { samples, formats, faults } = heard(pieces(bytes, seed, [1, 5, 50, 300][seed % 4]), options);
    assert.deepEqual({ samples, formats, faults }, { samples: once.samples, formats: once.formats, faults: [] });
  }
}

const S = noise(1000);
const T = noise(600, 2);

test("a whole file, with other chunks before and behind the samples", () => {
  hears(file({ samples: S }), S);
  hears(file({ samples: S, before: [...LIST, ...chunk("note", [1, 2, 3]), ...chunk("JUNK", new Array(28).fill(0))], after: LIST }), S);
  hears(file({ samples: S, after: [...LIST, ...chunk("id3 ", [...text("ID3"), ...noise(5001)]), ...chunk("what", noise(31))] }), S);
  hears(file({ samples: S, before: [...text("odd "), ...u32(3), 7, 7, 7] }), S); // Without padding.
});

test("an unknown chunk behind the samples is one if the file or the stream ends with it", () => {
  const unknown = chunk("uknw", noise(30));
  hears(file({ samples: S, after: unknown }), S);
  const stream = [...header({ dataSize: S.length }), ...S, ...unknown];
  hears(stream, S, { total: stream.length });
});

test("a header that was corrected after it was sent", () => {
  for (const size of [0, 2, 100, 101, 998]) hears([...header({ riffSize: 36 + size, dataSize: size }), ...S], S);
});

test("made-up sizes", () => {
  for (const size of [0, 0xffffffff, 0x7fffffff, 0x7ffff000, 0x80000000, 123456]) {
    hears([...header({ riffSize: size, dataSize: size }), ...S], S);
    hears([...header({ riffSize: size, dataSize: size }), ...S, ...LIST], S);
    hears([...header({ riffSize: size, dataSize: size }), ...S, ...LIST, ...chunk("id3 ", [...text("ID3"), ...noise(300)])], S);
  }
});

test("files one behind another, whatever their sizes say", () => {
  const five = (one) => [0, 1, 2, 3, 4].flatMap(() => one);
  const sounds = five(S);
  hears(five(file({ samples: S })), sounds);
  hears(five(file({ samples: S, before: LIST, after: LIST })), sounds);
  for (const dataSize of [0, 0xffffffff, 0x7ffff000, 100]) hears(five([...header({ dataSize }), ...S]), sounds);
  hears([...header(), ...S, ...LIST, ...header({ channels: 2, bits: 8 }), ...T], [...S, ...T]);
  // The second header comes in the middle of a frame.
  hears([...header({ channels: 2 }), ...S.slice(0, 998), ...header({ channels: 2 }), ...S], [...S.slice(0, 996), ...S]);
});

test("samples behind a chunk", () => {
  hears([...header({ dataSize: S.length }), ...S, ...LIST, ...T], [...S, ...T]);
  hears([...header({ dataSize: S.length }), ...S, ...LIST, ...text("data"), ...u32(T.length), ...T], [...S, ...T]);
});

test("padding", () => {
  const odd = S.slice(0, 501);
  const byte = { bits: 8 };
  hears(file({ samples: odd, ...byte }), odd);
  hears(file({ samples: odd, after: LIST, ...byte }), odd);
  hears([...header({ ...byte, dataSize: 501 }), ...odd, ...LIST], odd); // Without padding.
  hears([...file({ samples: odd, ...byte }), ...file({ samples: S, ...byte })], [...odd, ...S]);
  hears([...header({ ...byte, dataSize: 501 }), ...S], S);
});

test("more than 4 GiB", () => {
  const ds64 = (data) => chunk("ds64", [...u64(data + 72), ...u64(data), ...u64(0), ...u32(0)]);
  for (const riff of ["RF64", "BW64"]) {
    const bytes = [...header({ riff, before: ds64(S.length) }), ...S, ...LIST];
    hears(bytes, S);
    assert.equal(heard(whole(bytes)).events[0].run.announcedEnd, bytes.length - LIST.length);
    hears([...header({ riff, before: ds64(2 ** 40) }), ...S], S);
  }
});

test("formats", () => {
  const formatOf = (options) => heard(whole([...header(options), ...S])).formats[0];
  assert.deepEqual(formatOf({ channels: 2, rate: 44100 }), {
    encoding: "integer", sampleRate: 44100, channels: 2, sampleBytes: 2, frameBytes: 4,
  });
  const guid = (tag) => [...u16(22), ...u16(24), ...u32(3), ...u16(tag), ...Array(14).fill(0)];
  assert.equal(formatOf({ tag: 0xfffe, bits: 24, more: guid(1) }).sampleBytes, 3);
  assert.equal(formatOf({ tag: 0xfffe, bits: 32, more: guid(3) }).encoding, "float");
  assert.equal(formatOf({ tag: 3, bits: 64 }).sampleBytes, 8);
  assert.equal(formatOf({ tag: 6, bits: 8 }).encoding, "a-law");
  assert.equal(formatOf({ tag: 7, bits: 8 }).encoding, "mu-law");
  assert.equal(formatOf({ bits: 20, align: 3 }).sampleBytes, 3);
  assert.equal(formatOf({ bits: 24, align: 4 }).sampleBytes, 4);
  assert.equal(formatOf({ align: 0 }).sampleBytes, 2);
});

test("any sequence of files, whatever they say, in any pieces", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const next = random(seed);
    const one = (...choices) => choices[Math.floor(next() * choices.length)];
    const stream = [];
    const sounds = [];
    for (let files = one(1, 2, 5); files > 0; files -= 1) {
      const options = one({}, { channels: 2 }, { bits: 24 }, { tag: 3, bits: 32 }, { channels: 3, bits: 8 });
      const frame = (options.channels ?? 1) * ((options.bits ?? 16) / 8);
      const samples = noise(frame * Math.floor(next() * 300), seed * 10 + files);
      // An odd size has its padding, or it is not told: else the last byte might be padding.
      const odd = samples.length % 2 === 1;
      const dataSize = odd ? one(samples.length, 0xffffffff) : one(samples.length, 0, 0xffffffff, 0x7ffff000, Math.floor(samples.length / 4) * 2);
      const riffSize = one(0, 0xffffffff, 36 + dataSize);
      const padding = odd && dataSize === samples.length ? [0] : [];
      const before = one([], LIST, chunk("JUNK", Array(one(28, 29)).fill(0)), chunk("note", noise(one(3, 40), seed)));
      const after = one([], LIST, [...LIST, ...chunk("id3 ", [...text("ID3"), ...noise(one(500, 501), seed)])], chunk("fact", u32(7)));
      stream.push(...header({ ...options, before, riffSize, dataSize }), ...samples, ...padding, ...after);
      sounds.push(...samples);
    }
    for (const longest of [stream.length, 1, 30, 400]) {
      const { samples, faults } = heard(pieces(stream, seed, longest));
      assert.deepEqual({ samples, faults }, { samples: sounds, faults: [] }, `seed ${seed}`);
    }
  }
});

test("what cannot be played is reported", () => {
  const fault = (bytes) => heard(whole(bytes)).faults;
  assert.deepEqual(fault([]), ["not-wav"]);
  assert.deepEqual(fault(text("ID3 what is this?")), ["not-wav"]);
  assert.deepEqual(fault(header().slice(0, 40)), ["not-wav"]);
  for (const options of [{ tag: 0x11, bits: 4 }, { tag: 0x55, bits: 0 }, { channels: 0 }, { channels: 9 }, { rate: 0 }, { rate: 655351 }, { bits: 0 }, { bits: 40 }, { tag: 3, bits: 16 }]) {
    assert.deepEqual(fault([...header(options), ...S]), ["unsupported"], JSON.stringify(options));
  }
  assert.deepEqual(fault([...text("RIFF"), ...u32(0), ...text("WAVE"), ...text("data"), ...u32(0), ...S]), ["unsupported"]);
  assert.deepEqual(fault([...text("RIFF"), ...u32(0), ...text("WAVE"), ...chunk("fmt ", [1, 0, 1, 0])]), ["unsupported"]);
  assert.deepEqual(heard(whole([...header(), ...S, ...header({ tag: 0x55 }), ...S])).faults, ["unsupported"]);
});

test("an audio without samples ends", () => {
  assert.deepEqual(heard(whole(file({ samples: [] }))).samples, []);
  assert.deepEqual(heard(whole(file({ samples: [], after: LIST }))).samples, []);
});

test("any bytes behind a header, and any header, end without an exception", () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const bytes = seed % 2 ? [...header(), ...S, ...header().slice(0, seed % 44), ...noise(100, seed)] : file({ samples: S, after: LIST });
    for (const [index, byte] of noise(12, seed).entries()) bytes[(byte * 7 + index * 3) % (seed % 3 ? 60 : bytes.length)] = noise(1, seed * 100 + index)[0];
    const once = heard(whole(bytes));
    const again = heard(pieces(bytes, seed, 40));
    assert.deepEqual(again.samples, once.samples);
    assert.deepEqual(again.faults, once.faults);
  }
});

test("what is not read yet does not pile up", () => {
  const parser = new WavParser();
  parser.push(Uint8Array.from([...text("RIFF"), ...u32(0), ...text("WAVE"), ...text("bext"), ...u32(2 ** 31)]));
  for (let index = 0; index < 100; index += 1) assert.deepEqual(parser.push(new Uint8Array(1024 * 1024)), []);
  assert.deepEqual(parser.end().map(({ kind }) => kind), ["failed"]);
});

test("after a restart within the samples, frames are whole", () => {
  const bytes = Uint8Array.from([...header({ channels: 2 }), ...S]);
  const parser = new WavParser();
  const [{ run }] = parser.push(bytes);
  for (const offset of [run.start, run.start + 1, run.start + 4, run.start + 401]) {
    parser.restart(offset, run);
    const [{ offset: first, bytes: samples }] = parser.push(bytes.subarray(offset));
    assert.equal(first, run.start + Math.ceil((offset - run.start) / 4) * 4);
    assert.equal(samples[0], bytes[first]);
  }
});

test("behind the last samples only another file is heard", () => {
  const bytes = Uint8Array.from([...header(), ...S, ...chunk("id3 ", [...text("ID3"), ...noise(500)]), ...header(), ...T]);
  const parser = new WavParser();
  const [{ run }] = parser.push(bytes);
  parser.restart(run.start + S.length + 100, run, true);
  const events = [...parser.push(bytes.subarray(run.start + S.length + 100)), ...parser.end()];
  assert.deepEqual(events.filter(({ kind }) => kind === "samples").flatMap(({ bytes }) => [...bytes]), T);
});
