"""The catalog of streams, and the values that describe a stream."""
