// A listener on socket.io-client with its default options, as a front-end would be written that knows only the
// documented events. Usage: node listener.mjs URL STREAM_ID
// Prints one JSON line: the SHA-256 of the audio, the events in order, and the transport of each chunk.
import { createHash } from "node:crypto";
import { io } from "socket.io-client";

const [url, streamId] = process.argv.slice(2);
const socket = io(`${url}/api/v1/podcasts/stream`);
const hash = createHash("sha256");
const events = [];
const transports = [];
let bytes = 0;

function finish() {
  console.log(JSON.stringify({ sha256: hash.digest("hex"), bytes, events, transports }));
  socket.disconnect();
}

socket.on("connect", () => socket.emit("join_stream", { stream_id: streamId }));
socket.on("connection_ack", () => events.push("connection_ack"));
socket.on("stream_status", (message) => events.push(message.status));
socket.on("audio_chunk", (chunk) => {
  if (!Buffer.isBuffer(chunk)) throw new Error(`not binary: ${chunk}`);
  hash.update(chunk);
  bytes += chunk.length;
  transports.push(socket.io.engine.transport.name);
});
socket.on("audio_control", (message) => {
  events.push(message.event);
  if (message.event === "end_of_stream") finish();
});
socket.on("stream_error", (message) => {
  events.push(message);
  finish();
});
