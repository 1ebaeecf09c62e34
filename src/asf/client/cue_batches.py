"""Divides cues into requests that the server accepts."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MAX_CUES = 1000
"""Maximum number of cues in one request."""

MAX_BYTES = 900_000
"""Bytes of JSON of the cues in one request, below the server's limit of 1 MiB, unless it is a single cue."""

ID_BYTES = 12
"""Random bytes of an id; enough to be unique in a stream."""


def batches_of(cues: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the cues in order, in batches. A cue without an id gets a random one. Raises what `json.dumps` raises."""
    batch: list[dict[str, Any]] = []
    size = 0
    for one in cues:
        cue = dict(one)
        if cue.get("id") is None:
            cue["id"] = secrets.token_urlsafe(ID_BYTES)
        its_size = len(json.dumps(cue, allow_nan=False)) + 2  # A comma and a space follow it.
        if batch and (len(batch) == MAX_CUES or size + its_size > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(cue)
        size += its_size
    if batch:
        yield batch
