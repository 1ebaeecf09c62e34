import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Tokens } from "../dist/access.js";
import { Session } from "../dist/session.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const AUDIO_BYTES = 600_000;
const CHUNK_BYTES = 4096;
const BYTES_PER_SECOND = 16_000;
const STEP_MS = 50;

/** Returns random numbers that depend on a seed only (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A server that keeps the contract, on a line with delays, and with faults as long as `faults` is true. */
class Line {
  faults = true;
  user = null;
  channel = null;
  #toServer = [];
  #toClient = [];
  #session = null;
  #chance;
  #isUp = false;

  constructor(chance) {
    this.#chance = chance;
  }

  open(_namespace, user) {
    this.user = user;
    this.channel = {
      connected: false,
      emit: (event, payload) => this.channel?.connected && this.#toServer.push([event, payload]),
      close: () => {
        this.channel = null;
        this.#cut();
      },
    };
    return this.channel;
  }

  step() {
    if (this.channel === null) return;
    if (this.#isUp && this.faults && this.#chance() < 0.01) {
      this.channel.connected = false;
      this.#cut();
      this.user.disconnected();
    } else if (!this.#isUp && this.#chance() < 0.1) {
      this.#isUp = this.channel.connected = true;
      this.user.connected();
    }
    while (this.#toServer.length > 0 && this.#chance() < 0.7) this.#handle(...this.#toServer.shift());
    this.#serve();
    while (this.#toClient.length > 0 && this.#chance() < 0.9) {
      const [event, payload] = this.#toClient.shift();
      this.user.received(event, [payload]);
    }
  }

  #cut() {
    this.#isUp = false;
    this.#session = null;
    this.#toServer = [];
    this.#toClient = [];
  }

  #send(event, payload) {
    this.#toClient.push([event, payload]);
  }

  #start(offset) {
    Object.assign(this.#session, { offset, acknowledged: offset });
    const more = { epoch: "e", total_bytes: AUDIO_BYTES, chunk_size: CHUNK_BYTES };
    this.#send("audio_control", { event: "start_of_stream", stream_id: "s", offset, ...more });
  }

  #handle(event, payload) {
    const error = (error_code) => this.#send("error", { message: "?", error_code });
    if (event === "join_stream") {
      if (this.faults && this.#chance() < 0.2) {
        error("ASF_RATE_LIMITED"); // An earlier session continues.
        return;
      }
      this.#session = { window: payload.window };
      this.#start(payload.offset);
    } else if (this.#session === null) {
      error("ASF_NO_SESSION");
    } else if (event === "seek_stream") {
      this.#start(payload.offset);
    } else if (payload.received > this.#session.offset) {
      error("ASF_INVALID_ACK");
    } else {
      this.#session.acknowledged = Math.max(this.#session.acknowledged, payload.received);
    }
  }

  #serve() {
    const session = this.#session;
    for (let turns = 0; session !== null && this.#session === session && turns < 4; turns += 1) {
      if (this.faults && this.#chance() < 0.004) {
        this.#session = null;
        this.#send("stream_error", { message: "?", error_code: "ASF_AUDIO_UNAVAILABLE", retryable: true, stream_id: "s" });
      } else if (session.offset >= AUDIO_BYTES) {
        this.#session = null;
        this.#send("audio_control", { event: "end_of_stream", stream_id: "s", total_bytes: AUDIO_BYTES });
      } else {
        const length = Math.min(CHUNK_BYTES, AUDIO_BYTES - session.offset);
        if (session.offset + length > session.acknowledged + session.window) return;
        session.offset += length;
        this.#send("audio_chunk", new ArrayBuffer(length));
      }
    }
  }
}

for (let seed = 1; seed <= 25; seed += 1) {
  test(`on line ${seed}, with cuts, errors, seeks and delays, every byte comes once and in order`, () => {
    const chance = random(seed);
    const line = new Line(chance);
    let expected = 0;
    let played = 0;
    let completed = false;
    const failures = [];
    const ignored = () => {};
    const session = new Session(line, "s", {}, new Tokens(), {
      connected: ignored,
      changed: ignored,
      started: ignored,
      control: ignored,
      status: ignored,
      retrying: ignored,
      received: ({ offset, bytes }) => {
        assert.equal(offset, expected);
        expected += bytes.length;
      },
      completed: (totalBytes) => {
        assert.equal(totalBytes, AUDIO_BYTES);
        assert.equal(expected, AUDIO_BYTES);
        completed = true;
      },
      failed: (error) => failures.push(error.code),
    });
    let seconds = 0;
    for (; seconds < 600 && !(completed && seconds > 120); seconds += STEP_MS / 1000) {
      line.faults = seconds < 120;
      if (line.faults && chance() < 0.01) {
        expected = played = Math.floor(chance() * AUDIO_BYTES);
        completed = false;
        session.seek(expected);
      }
      line.step();
      mock.timers.tick(STEP_MS);
      played = Math.min(expected, played + (BYTES_PER_SECOND * STEP_MS) / 1000);
      session.grant({ pendingBytes: 0, aheadSeconds: (expected - played) / BYTES_PER_SECOND, bytesPerSecond: BYTES_PER_SECOND });
    }
    assert.deepEqual(failures, []);
    assert.ok(completed, `at byte ${expected} after ${seconds} s`);
  });
}
