/** Audio in all formats, made by ffmpeg and lame on first use. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAX_OUTPUT = 1 << 26;

/** Returns why tests with these programs are skipped; false if they are installed. */
export function missing(...programs) {
  const absent = programs.filter((program) => spawnSync(program, ["--help"], { stdio: "ignore" }).error !== undefined);
  return absent.length > 0 && `${absent.join(" and ")} missing: apt-get install ${absent.map((name) => name.replace("ffprobe", "ffmpeg")).join(" ")}`;
}

/** Tones with noise in some seconds, after so many seconds of near silence, as an argument of ffmpeg. */
export function source(seconds, silence = 0) {
  const tone = "0.4*sin(2*PI*(300+40*floor(t))*t)+0.3*(0.2+gt(mod(t,17),9))*(random(0)-0.5)";
  return ["-f", "lavfi", "-i", `aevalsrc='if(lt(t,${silence}),0.0005*sin(2*PI*200*t),${tone})':s=44100:d=${seconds}`];
}

const folder = mkdtempSync(join(tmpdir(), "asf-clips-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Returns the bytes of `input` in a file that ffmpeg writes. */
export function clip(input, name, ...options) {
  const path = join(folder, name);
  execFileSync("ffmpeg", ["-v", "error", "-y", ...input, ...options, path]);
  return readFileSync(path);
}

/** Returns the bytes of `input` as lame encodes them with a variable bit rate; to a pipe it cannot correct its header. */
export function lameClip(input, name, { pipe = false } = {}) {
  clip(input, "source.wav", "-c:a", "pcm_s16le");
  const wav = join(folder, "source.wav");
  const path = join(folder, name);
  if (!pipe) execFileSync("lame", ["--quiet", "-V", "4", "-m", "m", wav, path]);
  else return execFileSync("lame", ["--quiet", "-V", "4", "-m", "m", wav, "-"], { maxBuffer: MAX_OUTPUT });
  return readFileSync(path);
}

/** Returns the offset and the time of all packets of that file, rising, as ffprobe finds them. */
export function packets(name) {
  const entries = ["-show_packets", "-show_entries", "packet=pts_time,pos", "-of", "csv=p=0"];
  const output = execFileSync("ffprobe", ["-v", "error", ...entries, join(folder, name)], { maxBuffer: MAX_OUTPUT });
  const lines = output.toString().trim().split("\n").map((line) => line.split(",").map(Number));
  return lines.map(([seconds, offset]) => ({ offset, seconds })).filter(({ offset }) => offset >= 0);
}

/** Returns the bytes of an MP3 file without a table, with one that Fraunhofer's encoders write before them (VBRI). */
export function withVbri(bytes, truth, step = 2) {
  const [first, frameSeconds] = [truth[0].offset, truth[1].seconds - truth[0].seconds];
  const entryFrames = Math.round(step / frameSeconds);
  const starts = [...truth.filter((_, index) => index % entryFrames === 0).map(({ offset }) => offset), bytes.length];
  const frame = Buffer.alloc(1044); // 320 kbit/s at 44.1 kHz
  bytes.copy(frame, 0, first, first + 4);
  frame[2] = (frame[2] & 0x0d) | 0xe0;
  const scale = 4;
  frame.write("VBRI", 36);
  frame.writeUInt16BE(1, 40);
  frame.writeUInt32BE(bytes.length - first + frame.length, 46);
  frame.writeUInt32BE(truth.length, 50);
  frame.writeUInt16BE(starts.length - 1, 54);
  frame.writeUInt16BE(scale, 56);
  frame.writeUInt16BE(2, 58);
  frame.writeUInt16BE(entryFrames, 60);
  for (let entry = 1; entry < starts.length; entry += 1) {
    frame.writeUInt16BE(Math.round((starts[entry] - starts[entry - 1]) / scale), 62 + 2 * (entry - 1));
  }
  return Buffer.concat([bytes.subarray(0, first), frame, bytes.subarray(first)]);
}

/** Returns the bytes of a FLAC file, with a seek table of a point every so many seconds. */
export function withSeekTable(bytes, truth, step = 2) {
  const sampleRate = bytes.readUInt32BE(18) >>> 12;
  const points = [];
  for (let at = 0; at <= truth.at(-1).seconds; at += step) points.push(truth.filter(({ seconds }) => seconds <= at).at(-1));
  const block = Buffer.alloc(4 + 18 * (points.length + 1));
  block.writeUInt32BE(0x03000000 + block.length - 4, 0);
  points.forEach(({ offset, seconds }, index) => {
    block.writeBigUInt64BE(BigInt(Math.round(seconds * sampleRate)), 4 + 18 * index);
    block.writeBigUInt64BE(BigInt(offset - truth[0].offset), 12 + 18 * index);
  });
  block.fill(0xff, 4 + 18 * points.length); // A place that is not used.
  const end = 8 + bytes.readUIntBE(5, 3); // Of STREAMINFO, which other blocks follow.
  return Buffer.concat([bytes.subarray(0, end), block, bytes.subarray(end)]);
}
