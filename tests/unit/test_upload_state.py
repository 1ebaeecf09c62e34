"""What a client keeps of an upload, and when it asks what has arrived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.client import RequestRejected, ServerUnreachable
from asf.client.upload_calls import Arrived
from asf.client.upload_state import (
    CHECK_SECONDS,
    FULL_CHECK_SECONDS,
    MAX_RETAINED_BYTES,
    MUCH_BYTES,
    PIECE_BYTES,
    QUICK_CHECK_SECONDS,
    REPEATED_BYTES,
    STUCK_SECONDS,
    UNANSWERED_SECONDS,
    ArrivalChecks,
    UploadState,
)


def written(length: int, offset: int = 0) -> UploadState:
    """Return the state of an upload of which `length` bytes have been written."""
    state = UploadState(offset)
    assert state.write(memoryview(bytes(length))) == length
    return state


@given(st.lists(st.tuples(st.sampled_from(["write", "take", "acknowledge", "resume"]), st.integers(0, 200_000))))
def test_what_is_not_acknowledged_is_kept(actions: list[tuple[str, int]]) -> None:
    """Whatever the order: pieces follow each other, and what is in doubt are the bytes between the two offsets."""
    state, audio, taken = UploadState(7), bytearray(7), bytearray(7)
    for action, number in actions:
        if action == "write":
            new = bytes([len(audio) % 251]) * number
            audio += new[: state.write(memoryview(new))]
        elif action == "take":
            piece = state.take()
            assert len(piece) <= PIECE_BYTES
            taken += piece
        else:
            offset = state.acknowledged + number % (state.sent - state.acknowledged + 1)
            advance = state.acknowledge if action == "acknowledge" else state.resume_at
            before = state.acknowledged
            assert advance(offset) == (offset > before)
        assert state.sent == len(taken)
        assert taken == audio[: len(taken)]
        assert state.in_doubt() == taken[state.acknowledged :][:REPEATED_BYTES]
        assert state.total_bytes == len(audio)
        assert state.room == MAX_RETAINED_BYTES - (len(audio) - state.acknowledged)
        assert state.is_delivered == (state.acknowledged == len(audio))


def test_no_more_is_kept_than_is_allowed() -> None:
    """The rest is not taken."""
    state = UploadState()
    assert state.write(memoryview(bytes(MAX_RETAINED_BYTES + 1))) == MAX_RETAINED_BYTES
    assert (state.room, state.write(memoryview(b"x"))) == (0, 0)
    state.take()
    state.acknowledge(10)
    assert state.room == 10


def test_offsets_of_the_server_that_cannot_be() -> None:
    """More than was sent is another program's audio. Less than was acknowledged cannot be repeated."""
    state = written(100)
    with pytest.raises(RequestRejected) as rejection:
        state.acknowledge(1)
    assert rejection.value.error_code == "ASF_UPLOAD_TAKEN_OVER"
    state.take()
    assert state.acknowledge(50)
    assert not state.acknowledge(40)
    with pytest.raises(ServerUnreachable) as lost:
        state.resume_at(40)
    assert lost.value.temporary
    assert state.acknowledged == 50


def test_it_asks_while_something_is_under_way() -> None:
    """Soon after a first piece, then from time to time; not while everything has arrived."""
    state = written(100)
    checks = ArrivalChecks(state)
    assert checks.next_at() is None
    state.take()
    checks.sent(1000.0)
    assert checks.next_at() == 1000 + QUICK_CHECK_SECONDS
    assert checks.is_sound(Arrived(100, is_complete=False), 1001.0)
    assert checks.next_at() is None
    state.write(memoryview(bytes(100)))
    state.take()
    checks.sent(1001.5)
    assert checks.next_at() == 1001 + CHECK_SECONDS
    assert checks.next_at(hurry=True) == 1001 + FULL_CHECK_SECONDS
    state.write(memoryview(bytes(MAX_RETAINED_BYTES // 2)))
    assert checks.next_at() == 1001 + FULL_CHECK_SECONDS


def test_over_a_slow_line_it_asks_less_often() -> None:
    """However full it is; and often again once much arrives."""
    state = written(MAX_RETAINED_BYTES)
    checks = ArrivalChecks(state)
    while state.take():
        checks.sent(0.0)
    pauses = []
    for number in range(1, 8):
        assert checks.is_sound(Arrived(number, is_complete=False), float(number))
        pauses.append((checks.next_at() or 0.0) - number)
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, *[QUICK_CHECK_SECONDS] * 3])
    assert checks.is_sound(Arrived(8 + MUCH_BYTES, is_complete=False), 8.0)
    assert checks.next_at() == 8 + FULL_CHECK_SECONDS


def test_a_connection_through_which_nothing_arrives_is_given_up() -> None:
    """After a while in which the server has answered; an answer that is missing says nothing."""
    state = written(100)
    checks = ArrivalChecks(state)
    state.take()
    checks.sent(1.0)
    assert checks.is_sound(Arrived(0, is_complete=False), 10.0)
    assert checks.next_at() == 10 + QUICK_CHECK_SECONDS
    assert checks.is_bearable(10 + STUCK_SECONDS)
    assert checks.next_at() == 10 + STUCK_SECONDS + QUICK_CHECK_SECONDS
    assert checks.is_sound(Arrived(0, is_complete=False), 20.0)
    assert checks.is_sound(Arrived(1, is_complete=False), 20 + STUCK_SECONDS)
    assert checks.next_at() == 20 + STUCK_SECONDS + CHECK_SECONDS
    assert checks.is_sound(Arrived(1, is_complete=False), 30.0)
    assert not checks.is_sound(Arrived(1, is_complete=False), 30 + STUCK_SECONDS)
    checks.reset()
    assert checks.next_at() is None


@pytest.mark.parametrize(
    "arrived", [None, Arrived(101, is_complete=False), Arrived(100, is_complete=True)], ids=["error", "more", "ended"]
)
def test_an_upload_that_is_no_longer_its_own_is_given_up(arrived: Arrived | None) -> None:
    """The next request returns why."""
    state = written(100)
    state.take()
    assert not ArrivalChecks(state).is_sound(arrived, 1.0)


def test_the_end_is_sound() -> None:
    """Once nothing more is written, the audio may be complete."""
    state = written(100)
    state.take()
    state.is_ended = True
    assert ArrivalChecks(state).is_sound(Arrived(100, is_complete=True), 1.0)


def test_answers_that_are_waited_for_must_come() -> None:
    """Once nothing more can be written, or nothing more is: otherwise the audio may flow although nobody answers."""
    state = written(100)
    checks = ArrivalChecks(state)
    state.take()
    checks.sent(1.0)
    assert checks.is_bearable(10.0)
    assert checks.is_bearable(10 + UNANSWERED_SECONDS)
    assert not checks.is_bearable(10 + UNANSWERED_SECONDS, hurry=True)
    assert checks.is_sound(Arrived(1, is_complete=False), 30.0)
    state.write(memoryview(bytes(MAX_RETAINED_BYTES)))
    assert checks.is_bearable(40.0)
    assert not checks.is_bearable(40 + UNANSWERED_SECONDS)
