import { Tokens } from "../dist/access.js";
import { Playback } from "../dist/playback.js";
import { FakeAudio } from "./fake_audio.js";

/** A server that a playback of stream `s` is connected to: `chunk` sends its bytes. */
export function fakeServer(content_type = "audio/flac") {
  const server = { sent: [], channels: [], user: null };
  server.connections = {
    open(_namespace, user) {
      server.user = user;
      const channel = {
        connected: false,
        emit: (event, payload) => channel.connected && server.sent.push([event, payload]),
        close(farewell) {
          if (farewell !== undefined) channel.emit(...farewell);
          channel.connected = false;
          channel.closed = true;
        },
      };
      server.channels.push(channel);
      return channel;
    },
  };
  server.connect = () => {
    server.channels.at(-1).connected = true;
    server.user.connected();
  };
  server.start = (total_bytes = null, offset = 0, epoch = "e") =>
    server.user.received("audio_control", [
      { event: "start_of_stream", stream_id: "s", offset, epoch, total_bytes, chunk_size: 10, content_type },
    ]);
  server.end = (total_bytes) => server.user.received("audio_control", [{ event: "end_of_stream", stream_id: "s", total_bytes }]);
  server.chunk = (bytes) => server.user.received("audio_chunk", [Uint8Array.from(bytes).buffer]);
  server.fail = (error_code) =>
    server.user.received("stream_error", [{ stream_id: "s", message: "?", error_code, retryable: false }]);
  return server;
}

/** Plays the stream, as in a click. */
export function play(server, audio = new FakeAudio(), options = {}) {
  const urls = { audio: () => "https://asf.example/s", cues: () => "https://asf.example/cues/s" };
  const playback = new Playback(server.connections, "s", audio, urls, options, new Tokens());
  const states = [];
  const errors = [];
  playback.on("state", (state) => states.push(state));
  playback.on("error", ({ error }) => errors.push(error.code));
  return { playback, audio, states, errors };
}
