"""Idempotency keys: how long they are remembered, and how updates with the same key are compared."""

from hashlib import blake2b

KEY_SECONDS = 300
"""How long an idempotency key is remembered, in seconds (docs/contract.md, section 2)."""


def digest_of(content: tuple[str, str, str]) -> bytes:
    """Return the 16-byte digest of an update's client id, event name and data (as JSON).

    It is stored in Redis, so it must be the same in all versions of the server.
    """
    return blake2b(repr(content).encode(), digest_size=16).digest()
