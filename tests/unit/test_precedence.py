"""Which sockets have precedence, and how many of them come at once."""

import socket
from collections.abc import Iterator
from select import POLLIN

import pytest

from asf.adapters.eventlet_runtime import precedence as precedence_module
from asf.adapters.eventlet_runtime.precedence import Precedence

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Return three pairs of sockets, of which the first ones can be read."""
    made = [socket.socketpair() for _ in range(3)]
    for _, writing in made:
        writing.send(b"x")
    yield made
    for pair in made:
        for one in pair:
            one.close()


def test_those_that_can_be_read_are_ready(pairs: list[Pair]) -> None:
    """While they have precedence, and not more than are wanted."""
    precedence = Precedence()
    readable = [reading.fileno() for reading, _ in pairs]
    for descriptor in (*readable, pairs[0][1].fileno(), -1):
        precedence.add(descriptor)
    assert sorted(precedence.ready(10)) == [(descriptor, POLLIN) for descriptor in sorted(readable)]
    assert len(precedence.ready(2)) == 2
    for descriptor in (readable[0], readable[0], 9999):
        precedence.discard(descriptor)
    assert {descriptor for descriptor, _ in precedence.ready(10)} == set(readable[1:])


def test_one_that_was_closed_is_not_ready(pairs: list[Pair]) -> None:
    """Its number may be given to another one."""
    precedence = Precedence()
    precedence.add(pairs[0][0].fileno())
    pairs[0][0].close()
    assert precedence.ready(10) == []


def test_the_number_is_bounded(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait like all sockets, until there is room."""
    monkeypatch.setattr(precedence_module, "MAX_SOCKETS", 2)
    precedence = Precedence()
    first, second, third = (reading.fileno() for reading, _ in pairs)
    for descriptor in (first, second, third):
        precedence.add(descriptor)
    assert {descriptor for descriptor, _ in precedence.ready(10)} == {first, second}
    precedence.discard(first)
    precedence.add(third)
    assert {descriptor for descriptor, _ in precedence.ready(10)} == {second, third}
