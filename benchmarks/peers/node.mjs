// The same service with socket.io on Node.js. Usage: node node.mjs PORT AUDIO_FILE; settings as in ASF.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "socket.io";

const [port, path] = process.argv.slice(2);
const audio = readFileSync(path);
const chunkSize = Number(process.env.ASF_CHUNK_SIZE ?? 4096);
const interval = Number(process.env.ASF_STREAM_SLEEP_INTERVAL ?? 0.01) * 1000;
const server = new Server(Number(port), { cors: { origin: "*" }, transports: ["websocket"], perMessageDeflate: false });

server.of("/api/v1/podcasts/stream").on("connection", (socket) => {
  socket.emit("connection_ack", { message: "Connected to ASF. Please send join_stream with your stream_id." });
  socket.on("join_stream", async ({ stream_id }) => {
    socket.emit("stream_status", { status: "joined", stream_id, message: `Joined stream ${stream_id}.` });
    socket.emit("audio_control", { event: "start_of_stream", stream_id, timestamp: Date.now() / 1000 });
    for (let offset = 0; offset < audio.length && socket.connected; offset += chunkSize) {
      socket.emit("audio_chunk", audio.subarray(offset, offset + chunkSize));
      await sleep(interval);
    }
    socket.emit("audio_control", { event: "end_of_stream", stream_id, timestamp: Date.now() / 1000 });
  });
});
