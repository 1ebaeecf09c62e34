/** The messages of ASF's wire contract, with its field names. */

export const AUDIO_NAMESPACE = "/api/v1/podcasts/stream";
export const UI_UPDATES_NAMESPACE = "/ui_updates";

/**
 * An event that has no effect. As every event with an acknowledgement id, the server acknowledges it at once (contract,
 * section 3): the answer shows that the connection works in both directions.
 */
export const PROBE = "probe";

/** The largest offset; a session there is beyond the end of any audio (contract, section 3). */
export const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

/** Starts a stream, and restarts it after a seek. */
export interface StartOfStream {
  event: "start_of_stream";
  stream_id: string;
  /** Seconds since the Unix epoch. */
  timestamp: number;
  /** Offset of the next chunk. */
  offset: number;
  /** Size of the complete audio; null while it is being generated. */
  total_bytes: number | null;
  chunk_size: number;
  content_type: string;
  /** Identifies this version of the audio; regenerating the stream changes it. */
  epoch: string;
  state: "complete" | "generating" | "failed";
  metadata: Record<string, unknown> | null;
}

/** Ends a stream: all its bytes were sent. */
export interface EndOfStream {
  event: "end_of_stream";
  stream_id: string;
  timestamp: number;
  total_bytes: number;
}

export type AudioControl = StartOfStream | EndOfStream;

/** A change of the session. */
export interface StreamStatus {
  status: "joined" | "waiting" | "paused" | "resumed" | "stalled" | "left" | "server_draining";
  stream_id: string;
  message: string;
}

/** Path of the streams' cues (contract, section 9). */
export const CUES_PATH = "/api/v1/podcasts/cues";

/** The payload of `stream_cues`: some cues of the stream (contract, section 9). */
export interface StreamCues {
  stream_id: string;
  epoch: string;
  cues: unknown[];
  /** Number of the last one, to continue from. */
  seq: number;
}

/** The payload of `stream_error`, `error` and `ui_error`. */
export interface ErrorMessage {
  message: string;
  error_code?: string;
  details?: string;
  retryable?: boolean;
  stream_id?: string;
  offset?: number;
  epoch?: string;
  /** Seconds after which a retry may succeed. */
  retry_after?: number;
}

/** The payload of `join_stream`. */
export interface JoinStream {
  stream_id: string;
  offset: number;
  window: number;
  wait: boolean;
  epoch?: string;
  token?: string;
  cues?: boolean;
  cues_since?: number;
}

/** A position in the UI updates of a client. */
export interface Position {
  epoch: string;
  seq: number;
}

/** Accompanies each update of a subscriber that sent `since`. */
export interface UpdatePosition extends Position {
  timestamp: number;
}

/** Confirms a subscription. */
export interface Subscribed {
  status: string;
  client_id: string;
  subscribed_to_room: string;
  epoch?: string;
  seq?: number;
  recovered?: boolean;
}
