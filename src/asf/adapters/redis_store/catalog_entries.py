"""Streams as entries of the catalog in Redis."""

import json

from asf.domain.errors import CatalogUnavailable
from asf.domain.streams.stream import AudioStream, StreamState, locator_of


def entry_of(stream: AudioStream) -> str:
    """Return the state, a space, and all fields but the id as JSON in ASCII, whatever characters a path has."""
    rest = json.dumps(
        {
            "locator_kind": stream.locator.kind,
            "locator": stream.locator.text,
            "epoch": stream.epoch,
            "content_type": stream.content_type,
            "metadata": stream.metadata,
            "reason": stream.reason,
            "announced_at": stream.announced_at,
        },
        separators=(",", ":"),
    )
    return f"{stream.state} {rest}"


def stream_of(stream_id: str, entry: bytes) -> AudioStream:
    """Parse an entry. Raises `CatalogUnavailable` for a damaged one."""
    state, _, rest = entry.partition(b" ")
    try:
        kept = json.loads(rest)
        return AudioStream(
            stream_id,
            locator_of(kept["locator_kind"], kept["locator"]),
            StreamState(state.decode()),
            kept["epoch"],
            kept["content_type"],
            kept["metadata"],
            kept["reason"],
            kept["announced_at"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogUnavailable(f"The entry of stream '{stream_id}' is damaged: {error!r}.") from error
