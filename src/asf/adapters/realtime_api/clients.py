"""The clients of each namespace, for the Socket.IO library."""

from collections.abc import Iterator
from typing import Any

from bidict import ValueDuplicationError
from socketio import Manager


class SidPairs(dict[str, str]):
    """The Engine.IO session id of each client, by Socket.IO's, and the other way round.

    Offers the library what it uses of a `bidict`, at a fraction of the cost of one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._invm: dict[str, str] = {}

    @property
    def _fwdm(self) -> "SidPairs":
        return self

    def __setitem__(self, sid: str, engineio_sid: str) -> None:
        """Add a pair. Raises `ValueDuplicationError` if the connection has another id here already."""
        if self._invm.setdefault(engineio_sid, sid) != sid:
            raise ValueDuplicationError(engineio_sid)
        super().__setitem__(sid, engineio_sid)

    def __delitem__(self, sid: str) -> None:
        """Remove a pair. Raises KeyError."""
        del self._invm[self[sid]]
        super().__delitem__(sid)


class Clients(Manager):
    """Replaces the library's manager, for which each client is alone in a room of its own.

    When a client disconnects, the library looks through all rooms: so when thousands do, each looks for the others.
    Here a client's own room is not stored. Rooms that are entered by name work as in the library.
    """

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        """Put a client into a room; None is the room of all."""
        if room == sid:
            return
        if room is None and eio_sid is not None:
            rooms = self.rooms.setdefault(namespace, {})
            if None not in rooms:
                rooms[None] = SidPairs()
            rooms[None][sid] = eio_sid
            return
        super().basic_enter_room(sid, namespace, room, eio_sid)

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Yield the ids of those in a room, or in several rooms: Socket.IO's and Engine.IO's of each."""
        if isinstance(room, str) and self.is_sid_room(namespace, room):
            yield room, self.rooms[namespace][None][room]
            return
        if room is None or isinstance(room, str):
            yield from super().get_participants(namespace, room)
            return
        participants: dict[str, str] = {}
        for one in room:
            participants.update(self.get_participants(namespace, one))
        yield from participants.items()

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """Return the rooms a client is in."""
        rooms: list[str] = super().get_rooms(sid, namespace)
        return [sid, *rooms] if self.is_sid_room(namespace, sid) else rooms
