// The two libraries that wrap frames, in one module, which is loaded only when audio needs them.
export { default as CodecParser } from "codec-parser";
export { default as MSEAudioWrapper } from "mse-audio-wrapper";
