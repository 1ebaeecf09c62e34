"""Copies streams and their cues from one store to another: those of a server alone, when it gets several workers."""

import json
from collections.abc import Callable

from asf.domain.cues.cue import parse_cue
from asf.domain.cues.ports import CueStore
from asf.domain.cues.track import TrackLimits
from asf.domain.streams.ports import CatalogStore

PAGE = 200
"""Streams that are read at once, and cues."""

PAGE_BYTES = 1024 * 1024


def copy_streams(
    streams: tuple[CatalogStore, CatalogStore],
    cues: tuple[CueStore, CueStore],
    max_streams: int,
    max_cues: int,
    checkpoint: Callable[[], object],
) -> int:
    """Copy the streams that the second store does not have, with their cues, and return how many these were.

    Can be repeated. Raises `CatalogUnavailable`, `CatalogFull` or `CuesUnavailable`.
    """
    source, target = streams
    after, count = "", 0
    while page := source.page(PAGE, after):
        for stream in page:
            if target.get(stream.stream_id) is None:
                # Before the stream itself: what is there when the copying is interrupted must be complete.
                _copy_cues(cues, stream.stream_id, stream.epoch, max_cues)
                count += target.put(stream, None, max_streams)
            checkpoint()
        after = page[-1].stream_id
    return count


def _copy_cues(cues: tuple[CueStore, CueStore], stream_id: str, epoch: str, max_cues: int) -> None:
    source, target = cues
    after = 0
    while page := source.page(stream_id, epoch, after, PAGE, PAGE_BYTES).cues:
        target.append(stream_id, epoch, [parse_cue(json.loads(one.json)) for one in page], TrackLimits(max_cues))
        after = page[-1].seq
