"""The clients of a namespace are found by either id, alone and in rooms, as with the library's manager."""

import pytest
import socketio

from asf.adapters.realtime_api.clients import Clients

NAMESPACE = "/n"


def connected(manager: socketio.Manager, *engineio_sids: str) -> list[str]:
    """Connect clients, and return their ids."""
    sids = []
    for engineio_sid in engineio_sids:
        sid = manager.pre_connect(engineio_sid, NAMESPACE)
        assert sid is not None
        assert not manager.is_connected(sid, NAMESPACE)
        manager.connect(sid, NAMESPACE)
        sids.append(sid)
    return sids


@pytest.fixture(params=[Clients, socketio.Manager])
def manager(request: pytest.FixtureRequest) -> socketio.Manager:
    """A manager of a server: ASF's, and the library's, which behaves in the same way."""
    created: socketio.Manager = request.param()
    created.set_server(socketio.Server(async_mode="threading"))
    return created


def participants(manager: socketio.Manager, room: object) -> dict[str, str]:
    """Return who is in a room."""
    return dict(manager.get_participants(NAMESPACE, room))


def test_clients_are_found_by_either_id(manager: socketio.Manager) -> None:
    """Each connection is in a namespace once."""
    first, second = connected(manager, "E1", "E2")
    assert manager.is_connected(first, NAMESPACE)
    assert manager.sid_from_eio_sid("E2", NAMESPACE) == second
    assert manager.eio_sid_from_sid(first, NAMESPACE) == "E1"
    assert manager.pre_connect("E1", NAMESPACE) is None
    assert manager.sid_from_eio_sid("E1", NAMESPACE) == first


def test_participants_and_rooms(manager: socketio.Manager) -> None:
    """One client, those in a room, in several, and all."""
    first, second = connected(manager, "E1", "E2")
    manager.enter_room(first, NAMESPACE, "room")
    assert participants(manager, first) == {first: "E1"}
    assert participants(manager, None) == {first: "E1", second: "E2"}
    assert participants(manager, "room") == {first: "E1"}
    assert participants(manager, ["room", second, "unknown"]) == {first: "E1", second: "E2"}
    assert participants(manager, "unknown") == {}
    assert set(manager.get_rooms(first, NAMESPACE)) == {first, "room"}
    with pytest.raises(ValueError, match="sid room"):
        manager.enter_room(first, NAMESPACE, second)


def test_who_disconnects_is_in_no_room(manager: socketio.Manager) -> None:
    """Neither in its own nor in another, and its connection may come back."""
    first, second = connected(manager, "E1", "E2")
    manager.enter_room(first, NAMESPACE, "room")
    manager.pre_disconnect(first, NAMESPACE)
    assert not manager.is_connected(first, NAMESPACE)
    manager.disconnect(first, NAMESPACE)
    assert participants(manager, first) == participants(manager, "room") == {}
    assert participants(manager, None) == {second: "E2"}
    assert manager.sid_from_eio_sid("E1", NAMESPACE) is None
    manager.disconnect(second, NAMESPACE)
    assert connected(manager, "E1") != [first]


def test_a_client_has_no_room_of_its_own() -> None:
    """Nobody who disconnects looks through a room for each of the others."""
    manager = Clients()
    manager.set_server(socketio.Server(async_mode="threading"))
    connected(manager, "E1", "E2", "E3")
    assert list(manager.rooms[NAMESPACE]) == [None]
