// Clips that ffmpeg makes, and what it finds in audio.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why the tests with clips are skipped; false if they are not. */
export const skip = spawnSync("ffmpeg", ["-version"]).error === undefined ? false : "ffmpeg is not installed";

const SOURCE = "aevalsrc='0.5*sin(2*PI*(300+40*floor(t))*t)':s=44100:d=6";
const ENCODERS = {
  mp3: ["-c:a", "libmp3lame", "-b:a", "64k", "-id3v2_version", "0", "-f", "mp3"],
  aac: ["-c:a", "aac", "-b:a", "64k", "-f", "adts"],
  opus: ["-c:a", "libopus", "-b:a", "32k", "-f", "ogg"],
  vorbis: ["-c:a", "libvorbis", "-f", "ogg"],
  oggflac: ["-c:a", "flac", "-f", "ogg"],
  flac: ["-c:a", "flac", "-f", "flac"],
};
const folder = mkdtempSync(join(tmpdir(), "asf-clips-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const made = new Map();

function ffmpeg(args, input) {
  const { status, stdout, stderr } = spawnSync("ffmpeg", ["-v", "error", ...args], { input, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(String(stderr));
  return stdout;
}

/** Returns a clip of 6 s. @param args further arguments of ffmpeg. */
export function clip(kind, ...args) {
  const key = [kind, ...args].join(" ");
  if (!made.has(key)) {
    made.set(key, new Uint8Array(ffmpeg(["-f", "lavfi", "-i", SOURCE, ...ENCODERS[kind], ...args, "-map_metadata", "-1", "pipe:1"])));
  }
  return made.get(key);
}

/** Returns what ffmpeg finds: start in seconds and checksum of each frame. */
export function framesIn(bytes, ...args) {
  const path = join(folder, "probed");
  writeFileSync(path, bytes);
  const text = String(ffmpeg(["-i", path, "-map", "0:a", "-c", "copy", ...args, "-f", "framehash", "pipe:1"]));
  const [, numerator, denominator] = /#tb 0: (\d+)\/(\d+)/.exec(text);
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(",").map((field) => field.trim()))
    .map((fields) => ({ seconds: (Number(fields[2]) * numerator) / denominator, hash: fields[5] }));
}

/** Returns the samples that ffmpeg decodes: mono, 44.1 kHz. */
export function samplesIn(bytes) {
  const path = join(folder, "decoded");
  writeFileSync(path, bytes);
  const raw = ffmpeg(["-i", path, "-ac", "1", "-ar", "44100", "-f", "f32le", "pipe:1"]);
  return new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
}

/** Returns random whole numbers from 0 to before `below`, the same ones in each run. */
export function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

