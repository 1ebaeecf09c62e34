import assert from "node:assert/strict";
import { test } from "node:test";

import { UpdatePositions } from "../dist/positions.js";

const confirmation = (more) => ({ status: "success", client_id: "a", subscribed_to_room: "a", ...more });
const at = (seq, epoch = "e") => ({ epoch, seq, timestamp: 1 });

test("live updates only: the first confirmation has the position to continue from", () => {
  const positions = new UpdatePositions(false);
  assert.equal(positions.since, undefined);
  assert.equal(positions.confirmed(confirmation({ epoch: "e", seq: 7 })), "subscribe again");
  assert.deepEqual(positions.since, { epoch: "e", seq: 7 });
  assert.equal(positions.confirmed(confirmation({ epoch: "e", seq: 8, recovered: true })), "continue");
  assert.equal(positions.take(at(8)), true);
  assert.deepEqual(positions.since, { epoch: "e", seq: 8 });
});

test("history requests all updates that are kept", () => {
  const positions = new UpdatePositions(true);
  assert.deepEqual(positions.since, { epoch: "", seq: 0 });
  assert.equal(positions.confirmed(confirmation({ epoch: "e", seq: 2, recovered: true })), "continue");
  assert.equal(positions.take(at(1)), true);
  assert.equal(positions.take(at(2)), true);
  assert.deepEqual(positions.since, { epoch: "e", seq: 2 });
});

test("each update is accepted once", () => {
  const positions = new UpdatePositions(false);
  positions.confirmed(confirmation({ epoch: "e", seq: 3 }));
  assert.equal(positions.take(at(3)), false);
  assert.equal(positions.take(at(4)), true);
  assert.equal(positions.take(at(4)), false);
  assert.equal(positions.take(at(1, "later")), true);
});

test("after a gap in the history it continues behind it", () => {
  const positions = new UpdatePositions(false);
  positions.confirmed(confirmation({ epoch: "e", seq: 3 }));
  assert.equal(positions.confirmed(confirmation({ epoch: "f", seq: 9, recovered: false })), "gap");
  assert.deepEqual(positions.since, { epoch: "f", seq: 9 });
  assert.equal(positions.take(at(10, "f")), true);
});

test("it does not subscribe again to a server that sends no positions", () => {
  const positions = new UpdatePositions(false);
  assert.equal(positions.confirmed(confirmation({})), "continue");
  assert.equal(positions.since, undefined);
});
