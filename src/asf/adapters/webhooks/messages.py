"""The message of an event, and its signature (Standard Webhooks: "Payload structure", "Signature scheme")."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from asf.domain.webhooks.event import StreamEvent

SYMMETRIC_SIGNATURE = "v1"
"""Identifies a signature with HMAC-SHA256 and a shared secret."""


def body_of(event: StreamEvent, event_id: str) -> bytes:
    """Return the body of the request that reports `event`: compact JSON. It is the same for all attempts."""
    data: dict[str, Any] = {"stream_id": event.stream_id, "epoch": event.epoch, **event.details}
    timestamp = datetime.fromtimestamp(event.timestamp, UTC).isoformat(timespec="microseconds")
    message = {
        "id": event_id,
        "type": event.type.value,
        "timestamp": timestamp.removesuffix("+00:00") + "Z",
        "data": data,
    }
    return json.dumps(message, separators=(",", ":")).encode()


def headers_of(event_id: str, timestamp: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of one attempt, made at `timestamp` (whole seconds since the Unix epoch).

    There is a signature with each of the `secrets`, so that a receiver that knows one of them accepts it.
    """
    signed = b".".join((event_id.encode(), str(timestamp).encode(), body))
    return {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"{SYMMETRIC_SIGNATURE},{_sign(secret, signed)}" for secret in secrets),
    }


def _sign(secret: bytes, content: bytes) -> str:
    return b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
