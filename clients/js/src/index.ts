export { AsfClient, connect, type ClientEvents, type ConnectOptions } from "./client.js";
export type { ConnectionState } from "./connections.js";
export type { Piece } from "./cursor.js";
export type { Listener } from "./emitter.js";
export { AsfError, EpochChangedError, type ClientErrorCode } from "./errors.js";
export { Playback, type PlaybackEvents, type PlayOptions, type Progress, type SeekTarget } from "./playback.js";
export type { AudioControl, EndOfStream, Position, StartOfStream, StreamStatus } from "./protocol.js";
export type { PlaybackState } from "./state.js";
export { Watch, type Update, type WatchEvents, type WatchOptions } from "./watch.js";
