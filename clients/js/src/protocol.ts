/** The messages of ASF's wire contract, with the names that they have there. */

export const AUDIO_NAMESPACE = "/api/v1/podcasts/stream";
export const UI_UPDATES_NAMESPACE = "/ui_updates";

/** What begins a stream, and begins it again after a seek. */
export interface StartOfStream {
  event: "start_of_stream";
  stream_id: string;
  /** Seconds since the Unix epoch. */
  timestamp: number;
  /** The stream's byte that the next chunk begins with. */
  offset: number;
  /** Bytes of the whole audio; null while it is being generated. */
  total_bytes: number | null;
  chunk_size: number;
  content_type: string;
  /** Which making of the audio this is. */
  epoch: string;
  state: "complete" | "generating" | "failed";
  metadata: Record<string, unknown> | null;
}

/** What ends a stream: all its bytes were sent. */
export interface EndOfStream {
  event: "end_of_stream";
  stream_id: string;
  timestamp: number;
  total_bytes: number;
}

export type AudioControl = StartOfStream | EndOfStream;

/** What became of the session. */
export interface StreamStatus {
  status: "joined" | "waiting" | "paused" | "resumed" | "stalled" | "left" | "server_draining";
  stream_id: string;
  message: string;
}

/** The payload of `stream_error`, `error` and `ui_error`. */
export interface ErrorMessage {
  message: string;
  error_code?: string;
  details?: string;
  retryable?: boolean;
  offset?: number;
  epoch?: string;
}

/** The payload of `join_stream`. */
export interface JoinStream {
  stream_id: string;
  offset: number;
  window: number;
  wait: boolean;
  epoch?: string;
  token?: string;
}

/** A place in the UI updates of a client. */
export interface Position {
  epoch: string;
  seq: number;
}

/** What comes with an update for a subscriber that sent `since`. */
export interface PlacedAt extends Position {
  timestamp: number;
}

/** The answer to a subscription. */
export interface Subscribed {
  status: string;
  client_id: string;
  subscribed_to_room: string;
  epoch?: string;
  seq?: number;
  recovered?: boolean;
}
