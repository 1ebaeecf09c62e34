import assert from "node:assert/strict";
import { test } from "node:test";

import { Tokens } from "../dist/access.js";
import { connectionFailed } from "../dist/connection_errors.js";

test("a token that is at hand is returned at once, as a click needs it", () => {
  assert.equal(new Tokens().ask(), undefined);
  assert.equal(new Tokens("text").ask(), "text");
  assert.equal(new Tokens(() => "function").ask(), "function");
});

test("those who ask at the same time share one promise; later ones get another", async () => {
  let count = 0;
  const tokens = new Tokens(async () => `token ${(count += 1)}`);
  assert.deepEqual(await Promise.all([tokens.ask(), tokens.ask(), tokens.ask()]), Array(3).fill("token 1"));
  assert.equal(await tokens.ask(), "token 2");
});

test("a failed promise is not kept", async () => {
  let fails = true;
  const tokens = new Tokens(async () => {
    if (fails) throw new Error("offline");
    return "token";
  });
  await assert.rejects(tokens.ask(), { code: "ASF_UNAUTHORIZED", retryable: true });
  fails = false;
  assert.equal(await tokens.ask(), "token");
});

/** An error of socket.io-client. */
function transportError(description, responseText) {
  return Object.assign(new Error("xhr poll error"), { description, context: { responseText } });
}

test("a server that refuses a connection is quoted", () => {
  const answer = { error_code: "ASF_TOO_MANY_CONNECTIONS", message: "The server has reached its connection limit.", details: "9 are open." };
  const error = connectionFailed("http://a.example", transportError(503, JSON.stringify(answer)));
  assert.deepEqual([error.code, error.message, error.details, error.retryable], [answer.error_code, answer.message, answer.details, true]);
});

test("what is no ASF server is described", () => {
  for (const [cause, pattern] of [
    [transportError(404, "<!doctype html><title>Not found</title>"), /HTTP 404/],
    [transportError(400, '"The client is using an unsupported version of the protocol"'), /HTTP 400.*unsupported version/],
    [transportError(0, ""), /not reachable/],
    [Object.assign(new Error("server error"), { code: "parser error" }), /not that of a Socket\.IO server/],
    [new Error("timeout"), /no response in time/],
    [undefined, /not reachable/],
    [transportError(502, "null"), /HTTP 502/],
    [transportError(502, undefined), /HTTP 502/],
  ]) {
    const error = connectionFailed("http://a.example", cause);
    assert.deepEqual([error.code, error.retryable], ["ASF_CLIENT_CONNECTION_FAILED", true]);
    assert.match(error.details, pattern);
    assert.match(error.message, /http:\/\/a\.example/);
  }
});

test("null, which the storage of a page has for nothing, means none", async () => {
  for (const option of [null, () => null, async () => null]) assert.equal(await new Tokens(option).ask(), undefined);
});
