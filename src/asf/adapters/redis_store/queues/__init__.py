"""Audio that a voice agent adds to a Redis Stream piece by piece: `queue:NAME` (docs/contract.md, section 2)."""
