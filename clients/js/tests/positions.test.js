import assert from "node:assert/strict";
import { test } from "node:test";

import { UpdatePositions } from "../dist/positions.js";

const confirmation = (more) => ({ status: "success", client_id: "a", subscribed_to_room: "a", ...more });
const place = (seq, epoch = "e") => ({ epoch, seq, timestamp: 1 });

test("live updates only: the first confirmation tells the place to go on from", () => {
  const positions = new UpdatePositions(false);
  assert.equal(positions.since, undefined);
  assert.equal(positions.confirmed(confirmation({ epoch: "e", seq: 7 })), "subscribe again");
  assert.deepEqual(positions.since, { epoch: "e", seq: 7 });
  assert.equal(positions.confirmed(confirmation({ epoch: "e", seq: 8, recovered: true })), "continue");
  assert.equal(positions.take(place(8)), true);
  assert.deepEqual(positions.since, { epoch: "e", seq: 8 });
});

test("history asks for all that is kept", () => {
  const positions = new UpdatePositions(true);
  assert.deepEqual(positions.since, { epoch: "", seq: 0 });
  assert.equal(positions.confirmed(confirmation({ epoch: "e", seq: 2, recovered: true })), "continue");
  assert.equal(positions.take(place(1)), true);
  assert.equal(positions.take(place(2)), true);
  assert.deepEqual(positions.since, { epoch: "e", seq: 2 });
});

test("each update is taken once", () => {
  const positions = new UpdatePositions(false);
  positions.confirmed(confirmation({ epoch: "e", seq: 3 }));
  assert.equal(positions.take(place(3)), false);
  assert.equal(positions.take(place(4)), true);
  assert.equal(positions.take(place(4)), false);
  assert.equal(positions.take(place(1, "later")), true);
});

test("where the history does not reach back there is a gap, and it goes on behind it", () => {
  const positions = new UpdatePositions(false);
  positions.confirmed(confirmation({ epoch: "e", seq: 3 }));
  assert.equal(positions.confirmed(confirmation({ epoch: "f", seq: 9, recovered: false })), "gap");
  assert.deepEqual(positions.since, { epoch: "f", seq: 9 });
  assert.equal(positions.take(place(10, "f")), true);
});

test("a server that tells no places is no reason to ask again", () => {
  const positions = new UpdatePositions(false);
  assert.equal(positions.confirmed(confirmation({})), "continue");
  assert.equal(positions.since, undefined);
});
