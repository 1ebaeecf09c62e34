"""Messages and audio keep their order on an Engine.IO connection, whenever the library's writer yields."""

from itertools import cycle

import eventlet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.domain.streaming.audio import AudioBatch
from tests.support.engineio_line import EngineIoServer, RecordingWebSocket

pytestmark = pytest.mark.usefixtures("endless_turns")

ENVELOPE = "envelope"
CHUNK = 10
AUDIO = bytes(range(200)) * 2


@given(
    actions=st.lists(st.sampled_from(["audio", "event", "queued event", "turn"]), min_size=5, max_size=60),
    yields=st.lists(st.booleans(), min_size=1, max_size=10),
    upgraded=st.booleans(),
)
def test_messages_and_audio_keep_their_order(actions: list[str], yields: list[bool], upgraded: bool) -> None:
    """The writer takes up to 16 packets and then sends them; nothing is written directly before it has.

    That of a connection which was a WebSocket from the beginning takes one at a time.

    Other tasks may run before and after each of its sends.
    """
    websocket = RecordingWebSocket(cycle(yields))
    server = EngineIoServer()
    line = server.open_upgraded(websocket) if upgraded else server.open_websocket(websocket)
    batch = AudioBatch(0, AUDIO, CHUNK)
    offset = events = 0
    for action in actions:
        if action == "audio" and offset < len(AUDIO):
            offset += line.transport.try_write(batch, offset, min(offset + 3 * CHUNK, len(AUDIO)), ENVELOPE)
        elif action == "event":
            assert line.transport.send(f"event {events} at {offset}")
            events += 1
        elif action == "queued event":
            line.queue(f"event {events} at {offset}")
            events += 1
        else:
            eventlet.sleep(0)
    for _ in range(20 + 3 * events):
        eventlet.sleep(0)
    line.close()
    messages = websocket.messages
    if not upgraded:
        assert str(messages.pop(0)).startswith("0")
    expected = 0
    heard = bytearray()
    for message in messages:
        if isinstance(message, bytes):
            heard += message
        elif message != f"4{ENVELOPE}":
            assert message == f"4event {expected} at {len(heard)}"
            expected += 1
    assert expected == events
    assert bytes(heard) == AUDIO[:offset]


def test_audio_waits_for_all_packets_that_the_writer_has_taken() -> None:
    """Also after the first of them has been sent, when the queue is empty and the WebSocket idle."""
    websocket = RecordingWebSocket(cycle([False, True]))
    line = EngineIoServer().open_upgraded(websocket)
    batch = AudioBatch(0, AUDIO, len(AUDIO))
    eventlet.sleep(0)
    line.queue("first")
    line.queue("second")
    while "4first" not in websocket.messages:
        eventlet.sleep(0)
    assert line.connection.queue.empty()
    assert websocket.idle
    assert "4second" not in websocket.messages
    assert line.transport.try_write(batch, 0, len(AUDIO), ENVELOPE) == 0
    ready: list[int] = []
    line.transport.when_ready(lambda: ready.append(len(websocket.messages)))
    while not ready:
        eventlet.sleep(0)
    assert websocket.messages[: ready[0]] == ["4first", "4second"]
    assert line.transport.try_write(batch, 0, len(AUDIO), ENVELOPE) == len(AUDIO)
    line.close()
