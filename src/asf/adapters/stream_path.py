"""Where streams are served: the namespace of Socket.IO, and the path before a stream's id (docs/contract.md)."""

STREAM_PATH = "/api/v1/podcasts/stream"
