"""What a client asks for is read in the same way, whether it takes the schema's way or the short one."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asf.adapters.realtime_api.payloads import InvalidJoin, JoinStreamSchema, PayloadError
from asf.domain.identifiers import MAX_OFFSET
from asf.domain.streaming.session import ListenRequest

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, MAX_OFFSET + 2),
    st.sampled_from([0, 1, MAX_OFFSET, MAX_OFFSET + 1]),
    st.floats(),
    st.text(max_size=300),
    st.binary(max_size=3),
    st.just([]),
    st.just({}),
)
names = st.sampled_from([*JoinStreamSchema().fields, "unknown"])
payloads = st.one_of(
    values,
    st.dictionaries(names, values),
    st.builds(lambda fields: {"stream_id": "a"} | fields, st.dictionaries(names, values, max_size=2)),
)


def outcome(read: Callable[[Any], ListenRequest], payload: Any) -> tuple[Any, ...]:
    """Return what is read, or the error, as text: a value that is not a number is not equal to itself."""
    try:
        request = read(payload)
    except PayloadError as error:
        return type(error), error.details
    return repr(request), repr(request.token)


@given(payloads)
@example({"stream_id": "a"})
@example({"stream_id": "a", "window": 0})
@example({"stream_id": "a", "offset": True})
@example({"stream_id": "a", "token": {"a": 1}})
@example({"offset": 1})
@example({1: "a"})
def test_the_short_way_reads_what_the_schema_reads(payload: Any) -> None:
    """And raises the same errors."""
    schema = JoinStreamSchema()
    assert outcome(schema.read_request, payload) == outcome(lambda one: schema.read(one)["request"], payload)


def test_what_a_browser_sends_does_not_take_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the contract names."""
    schema = JoinStreamSchema()
    monkeypatch.setattr(schema, "read", None)
    request = schema.read_request(
        {"stream_id": "a", "offset": 1, "epoch": "b", "window": 2, "wait": True, "cues": True}
    )
    assert (request.stream_id, request.offset, request.window, request.cues) == ("a", 1, 2, True)


def test_a_join_without_a_stream_is_invalid() -> None:
    """Whatever else it has."""
    with pytest.raises(InvalidJoin):
        JoinStreamSchema().read_request({"offset": 1})
