/** The responses of the routes for operators (docs/contract.md, section 11). */

export interface Outcome {
  not_answering: { node: string; last_seen_seconds: number }[];
  problem: string | null;
}

export interface NodeStatus {
  node: string;
  worker: number | null;
  version: string;
  uptime_seconds: number;
  state: "ready" | "not_ready" | "draining";
  problems: string[];
  listeners: number;
  listeners_blocked: number;
  max_listeners: number;
  subscribers: number;
  uploads: number;
  connections: number;
  bytes_sent: number;
  joins_rejected: Record<string, number>;
  longest_turn_seconds: number | null;
  redis: { connected: boolean; latency_seconds: number | null; problem: string | null } | null;
  memory_bytes: number;
  answer_seconds: number;
}

export interface Nodes extends Outcome {
  nodes: NodeStatus[];
  explanations: Record<string, string>;
}

export interface ListenedStream {
  stream_id: string;
  listeners: number;
  blocked: number;
  bytes: number;
  transports: Record<string, number>;
  nodes: Record<string, number>;
}

export interface ListenedStreams extends Outcome {
  streams: ListenedStream[];
  next_cursor: string | null;
}

export interface Session {
  id: string;
  kind: "listener" | "subscriber" | "upload";
  node: string;
  since: number;
  state: string;
  stream_id: string | null;
  client_id: string | null;
  transport: string | null;
  address: string | null;
  forwarded_for: string | null;
  bytes: number | null;
  behind_bytes: number | null;
  ahead_seconds: number | null;
  blocked: boolean;
  waits_for: string | null;
  silent_seconds: number | null;
}

export interface Sessions extends Outcome {
  sessions: Session[];
  next_cursor: string | null;
}
