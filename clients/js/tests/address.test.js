import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf } from "../dist/address.js";

const PAGE = "https://example.com/app/player.html?x=1#top";
const STREAM = "api/v1/podcasts/stream";

for (const [url, page, socket, stream] of [
  ["http://127.0.0.1:5006", undefined, "/socket.io", `http://127.0.0.1:5006/${STREAM}/s`],
  ["http://127.0.0.1:5006/", undefined, "/socket.io", `http://127.0.0.1:5006/${STREAM}/s`],
  ["https://example.com/audio", undefined, "/audio/socket.io", `https://example.com/audio/${STREAM}/s`],
  ["https://example.com/audio/", undefined, "/audio/socket.io", `https://example.com/audio/${STREAM}/s`],
  ["https://example.com/a/b//?q=1#f", undefined, "/a/b/socket.io", `https://example.com/a/b/${STREAM}/s`],
  ["/audio/", PAGE, "/audio/socket.io", `https://example.com/audio/${STREAM}/s`],
  ["audio", PAGE, "/app/audio/socket.io", `https://example.com/app/audio/${STREAM}/s`],
  ["/", PAGE, "/socket.io", `https://example.com/${STREAM}/s`],
]) {
  test(`the server at ${url}`, () => {
    const address = addressOf(url, page);
    assert.equal(address.origin, new URL(url, page).origin);
    assert.equal(address.socketPath, socket);
    assert.equal(address.streamUrl("s").href, stream);
  });
}

test("a stream id is one segment, whatever it contains", () => {
  const { href } = addressOf("https://example.com/audio/").streamUrl("a/../b?c#d");
  assert.equal(href, `https://example.com/audio/${STREAM}/a%2F..%2Fb%3Fc%23d`);
});

test("an address for WebSockets is that of the same server", () => {
  assert.equal(addressOf("ws://asf.example:5006/audio/").origin, "http://asf.example:5006");
  assert.equal(addressOf("WSS://asf.example/").streamUrl("s").href, "https://asf.example/api/v1/podcasts/stream/s");
});

test("other URLs are errors", () => {
  for (const url of ["localhost:5006", "http://[", "asf.example", "file:///tmp/", ""]) {
    assert.throws(() => addressOf(url), { code: "ASF_CLIENT_INVALID_ARGUMENT" });
  }
});
