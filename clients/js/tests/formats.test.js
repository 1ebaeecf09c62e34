import assert from "node:assert/strict";
import { test } from "node:test";

import { mp4Boundary, mp4Header, webmBoundary, webmHeader } from "../dist/containers.js";
import { needsHeader, routeOf } from "../dist/formats.js";

const EMPTY = new Uint8Array(0);
const text = (string) => [...string].map((character) => character.charCodeAt(0));
const box = (name, ...content) => {
  const inner = content.flat();
  const size = inner.length + 8;
  return [size >>> 24, (size >> 16) & 0xff, (size >> 8) & 0xff, size & 0xff, ...text(name), ...inner];
};
const EBML = [0x1a, 0x45, 0xdf, 0xa3];
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const every = () => true;
const none = () => false;

const all = (...types) => (mimeType) => types.includes(mimeType);

test("elementary streams are routed by their type alone", () => {
  assert.equal(needsHeader("audio/mpeg"), false);
  const mpeg = { kind: "mse", mimeType: "audio/mpeg", headerBytes: 0, feed: { kind: "frames", codec: "mpeg" } };
  assert.deepEqual(routeOf("audio/mpeg", EMPTY, every), mpeg);
  const wrapped = routeOf("audio/mpeg", EMPTY, all('audio/mp4; codecs="mp3"'));
  assert.equal(wrapped.mimeType, 'audio/mp4; codecs="mp3"');
  assert.deepEqual(wrapped.feed, { kind: "wrapped", framing: "mpeg", codec: "mpeg", container: "mp4" });
  assert.equal(routeOf("Audio/AAC; x=y", EMPTY, every).mimeType, 'audio/mp4; codecs="mp4a.40.2"');
  assert.deepEqual(routeOf("audio/aac", EMPTY, all("audio/aac")).feed, { kind: "frames", codec: "aac" });
  assert.deepEqual(routeOf("audio/mpeg", EMPTY, none), { kind: "url" });
});

test("formats that no Media Source supports play by URL", () => {
  for (const type of ["application/octet-stream", "text/plain"]) {
    assert.deepEqual(routeOf(type, EMPTY, every), { kind: "url" });
  }
  assert.deepEqual(routeOf("audio/ogg", Uint8Array.from(text("x".repeat(40))), every), { kind: "url" });
  assert.deepEqual(routeOf("audio/ogg", ogg("Speex   "), every), { kind: "url" });
  assert.deepEqual(routeOf("audio/ogg", ogg("OpusHead"), none), { kind: "url" });
});

function page(granule, isFirst, content) {
  const head = [...text("OggS"), 0, isFirst ? 2 : 0, granule, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9];
  return [...head, 1, content.length, ...text(content)];
}

/** Returns an Ogg stream: a header of two pages, and one with audio. */
function ogg(mark) {
  return Uint8Array.from([...page(0, true, mark), ...page(0, false, "tags"), ...page(9, false, "audio")]);
}

test("Ogg by its first page, when all of its header is there", () => {
  const bytes = ogg("OpusHead");
  assert.equal(needsHeader("application/ogg"), true);
  assert.equal(routeOf("audio/ogg", bytes.subarray(0, 70), every), "more");
  const route = routeOf("audio/ogg", bytes, every);
  assert.equal(route.mimeType, 'audio/webm; codecs="opus"');
  assert.equal(route.headerBytes, page(0, true, "OpusHead").length + page(0, false, "tags").length);
  assert.deepEqual(route.feed, { kind: "wrapped", framing: "ogg", codec: "opus", container: "webm" });
  const inMp4 = routeOf("audio/ogg", bytes, all('audio/mp4; codecs="opus"'));
  assert.equal(inMp4.feed.container, "mp4");
  assert.equal(routeOf("audio/ogg", ogg("\x01vorbis."), every).mimeType, 'audio/webm; codecs="vorbis"');
  assert.equal(routeOf("audio/ogg", ogg("\x7fFLAC..."), every).mimeType, 'audio/mp4; codecs="flac"');
});

test("FLAC by its first block of metadata, also behind a tag", () => {
  const flac = [...text("fLaC"), ...new Array(38).fill(0)];
  const route = routeOf("audio/flac", Uint8Array.from(flac), every);
  assert.equal(route.mimeType, 'audio/mp4; codecs="flac"');
  assert.equal(route.headerBytes, 42);
  assert.equal(routeOf("audio/x-flac", Uint8Array.from(flac.slice(0, -1)), every), "more");
  assert.equal(routeOf("audio/flac", Uint8Array.from([...text("ID3 tag"), ...flac]), every).headerBytes, 49);
  assert.equal(routeOf("audio/flac", Uint8Array.from(text("ID3 tag")), every), "more");
  assert.deepEqual(routeOf("audio/flac", Uint8Array.from(text("no FLAC")), every), { kind: "url" });
});

test("WebM by its header", () => {
  const scale = [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40]; // A millisecond.
  const cluster = [...CLUSTER, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x82, 0x13, 0x88];
  const bytes = Uint8Array.from([...EBML, 1, 2, ...text("A_OPUS"), ...scale, ...cluster, ...new Array(12).fill(9)]);
  assert.deepEqual(webmHeader(bytes), { bytes: 19, codec: "opus", start: 5 });
  const checksummed = [...CLUSTER, 0xff, 0xbf, 0x84, 1, 2, 3, 4, 0xe7, 0x81, 7, ...new Array(12).fill(9)];
  assert.equal(webmHeader(Uint8Array.from([...EBML, ...text("A_OPUS"), ...checksummed])).start, 0.007);
  assert.equal(webmHeader(bytes.subarray(0, 24)), "more");
  assert.equal(webmHeader(bytes.subarray(0, 40)), "more");
  assert.equal(webmHeader(Uint8Array.from(text("ID3 is not WebM"))), null);
  const route = routeOf("video/webm", bytes, every);
  assert.equal(route.mimeType, 'audio/webm; codecs="opus"');
  assert.equal(route.headerBytes, 19);
  const feed = { kind: "container", headerBytes: 19, boundary: webmBoundary, start: 5 };
  assert.deepEqual(route.feed, feed);
  assert.equal(webmBoundary(Uint8Array.from([0, 0x1f, 0x43, 0, ...CLUSTER])), 4);
  assert.equal(webmBoundary(Uint8Array.from([0x1f, 0x43, 0xb6])), -1);
});

test("MP4 by its header, fragmented only, and with offsets from the fragment", () => {
  const [zeros, padding] = [[0, 0, 0, 0], new Array(12).fill(0)];
  const media = box("mdhd", zeros, zeros, zeros, [0, 0, 0xbb, 0x80], zeros); // 48 kHz.
  const header = [...box("ftyp", text("isom")), ...box("moov", media, box("mp4a"), box("mvex"))];
  const time = box("tfdt", [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]);
  const bytes = Uint8Array.from([...header, ...box("sidx", zeros), ...box("moof", time, padding)]);
  assert.deepEqual(mp4Header(bytes), { bytes: header.length, codec: "mp4a.40.2", start: 2 ** 32 / 48000 });
  const fragment = (flags) => Uint8Array.from([...header, ...box("moof", box("traf", box("tfhd", [0, 0, 0, flags]), time), padding)]);
  assert.equal(mp4Header(fragment(0x38)).bytes, header.length);
  assert.equal(mp4Header(fragment(0x39)), null);
  assert.equal(mp4Header(bytes.subarray(0, header.length)), "more");
  assert.equal(mp4Header(bytes.subarray(0, header.length - 1)), "more");
  assert.equal(mp4Header(Uint8Array.from([...box("ftyp"), ...box("moov", box("mp4a"))])), null);
  assert.equal(mp4Header(Uint8Array.from([...box("ftyp"), ...box("mdat", text("audio"))])), null);
  assert.equal(routeOf("audio/mp4", bytes, every).mimeType, 'audio/mp4; codecs="mp4a.40.2"');
  assert.equal(mp4Boundary(bytes), header.length + 12);
  assert.equal(mp4Boundary(Uint8Array.from([0xff, 0xff, 0xff, 0xff, ...text("moof")])), -1);
});

test("an endless header is not waited for", () => {
  assert.equal(routeOf("audio/webm", Uint8Array.from(EBML), every), "more");
  const endless = new Uint8Array(1024 * 1024);
  endless.set(EBML);
  assert.deepEqual(routeOf("audio/webm", endless, every), { kind: "url" });
});

test("WAV becomes FLAC, or plays through Web Audio", () => {
  const header = [...text("RIFF"), 255, 255, 255, 255, ...text("WAVEfmt "), 16, 0, 0, 0, 1, 0, 1, 0, 0x80, 0xbb, 0, 0, 0, 0x77, 1, 0, 2, 0, 16, 0];
  const bytes = Uint8Array.from([...header, ...text("data"), 255, 255, 255, 255, 1, 2, 3, 4]);
  assert.equal(needsHeader("audio/x-wav"), true);
  const route = { kind: "mse", mimeType: 'audio/mp4; codecs="flac"', headerBytes: 44, feed: { kind: "wav" } };
  assert.deepEqual(routeOf("audio/wav", bytes, every), route);
  assert.deepEqual(routeOf("audio/wav", bytes, none), { kind: "pcm", headerBytes: 44 });
  assert.equal(routeOf("audio/wav", Uint8Array.from(text("RIFF")), every), "more");
  assert.deepEqual(routeOf("audio/wav", Uint8Array.from(text("not a WAV file at all")), every), { kind: "url" });
});
