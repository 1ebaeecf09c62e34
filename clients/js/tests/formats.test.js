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

test("framed audio is routed by its type alone", () => {
  assert.equal(needsHeader("audio/mpeg"), false);
  assert.deepEqual(routeOf("audio/mpeg", EMPTY, every), { kind: "mse", mimeType: "audio/mpeg", headerBytes: 0, boundary: null });
  assert.equal(routeOf("Audio/AAC; x=y", EMPTY, every).mimeType, "audio/aac");
  assert.deepEqual(routeOf("audio/mpeg", EMPTY, none), { kind: "url" });
});

test("formats that no Media Source supports play by URL", () => {
  for (const type of ["audio/ogg", "application/octet-stream", "text/plain"]) {
    assert.deepEqual(routeOf(type, EMPTY, every), { kind: "url" });
  }
});

test("WebM by its header", () => {
  const bytes = Uint8Array.from([...EBML, 1, 2, ...text("A_OPUS"), 3, ...CLUSTER, 9, 9]);
  assert.deepEqual(webmHeader(bytes), { bytes: 13, codec: "opus" });
  assert.equal(webmHeader(bytes.subarray(0, 14)), "more");
  assert.equal(webmHeader(Uint8Array.from(text("ID3 is not WebM"))), null);
  const route = routeOf("video/webm", bytes, every);
  assert.equal(route.mimeType, 'audio/webm; codecs="opus"');
  assert.equal(route.headerBytes, 13);
  assert.equal(webmBoundary(Uint8Array.from([0, 0x1f, 0x43, 0, ...CLUSTER])), 4);
  assert.equal(webmBoundary(Uint8Array.from([0x1f, 0x43, 0xb6])), -1);
});

test("MP4 by its header, fragmented only", () => {
  const header = [...box("ftyp", text("isom")), ...box("moov", box("mp4a"), box("mvex"))];
  const bytes = Uint8Array.from([...header, ...box("moof", text("0123456789"))]);
  assert.deepEqual(mp4Header(bytes), { bytes: header.length, codec: "mp4a.40.2" });
  assert.equal(mp4Header(bytes.subarray(0, header.length - 1)), "more");
  assert.equal(mp4Header(Uint8Array.from([...box("ftyp"), ...box("moov", box("mp4a"))])), null);
  assert.equal(mp4Header(Uint8Array.from([...box("ftyp"), ...box("mdat", text("audio"))])), null);
  assert.equal(routeOf("audio/mp4", bytes, every).mimeType, 'audio/mp4; codecs="mp4a.40.2"');
  assert.equal(mp4Boundary(bytes), header.length);
  assert.equal(mp4Boundary(Uint8Array.from([0xff, 0xff, 0xff, 0xff, ...text("moof")])), -1);
});

test("an endless header is not waited for", () => {
  assert.equal(routeOf("audio/webm", Uint8Array.from(EBML), every), "more");
  const endless = new Uint8Array(1024 * 1024);
  endless.set(EBML);
  assert.deepEqual(routeOf("audio/webm", endless, every), { kind: "url" });
});

test("WAV with PCM plays through Web Audio", () => {
  assert.equal(needsHeader("audio/x-wav"), true);
  assert.equal(routeOf("audio/wav", Uint8Array.from(text("RIFF")), every), "more");
  assert.deepEqual(routeOf("audio/wav", Uint8Array.from(text("not a WAV file at all")), every), { kind: "url" });
});
