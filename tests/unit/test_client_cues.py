"""The client divides cues into requests that the server accepts."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.http_api.cue_schemas import MAX_CUES
from asf.adapters.http_api.json_body import MAX_BODY_BYTES
from asf.client import cue_batches
from asf.client.cue_batches import batches_of
from asf.domain.cues.cue import MAX_CUE_BYTES

cues = st.lists(
    st.builds(
        lambda start, length, more: {"start": start, "text": "ü" * length, **more},
        st.integers(0, 9),
        st.sampled_from([0, 10, 1000, 30_000]),
        st.sampled_from([{}, {"id": None}, {"id": "a"}]),
    ),
    max_size=40,
)


@given(cues, st.integers(1, 10))
def test_every_cue_is_in_one_request(posted: list[dict[str, Any]], repeats: int) -> None:
    """In order, within the limits; each without an id has one of its own."""
    posted *= repeats
    batches = list(batches_of(posted))
    sent = [cue for batch in batches for cue in batch]
    assert [cue | {"id": None} for cue in sent] == [cue | {"id": None} for cue in posted]
    assert all(cue["id"] == before["id"] for cue, before in zip(sent, posted, strict=True) if before.get("id"))
    given_ids = [cue["id"] for cue, before in zip(sent, posted, strict=True) if before.get("id") is None]
    assert len(set(given_ids)) == len(given_ids)
    for batch in batches:
        assert 1 <= len(batch) <= MAX_CUES
        assert len(json.dumps({"cues": batch, "epoch": "x" * 100})) <= MAX_BODY_BYTES
    assert len(batches) <= 1 + len(posted) / MAX_CUES + sum(len(json.dumps(cue)) for cue in sent) / 450_000


def test_client_and_server_agree() -> None:
    """On the limits."""
    assert cue_batches.MAX_CUES == MAX_CUES
    assert 6 * MAX_CUE_BYTES < cue_batches.MAX_BYTES < MAX_BODY_BYTES


def test_what_is_not_json_is_not_sent() -> None:
    """It raises at once."""
    with pytest.raises(ValueError, match="JSON"):
        list(batches_of([{"start": math.nan}]))
