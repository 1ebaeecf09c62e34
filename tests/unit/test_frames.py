"""Audio as WebSocket frames, read back by an independent implementation."""

import random

from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage

from asf.adapters.websocket.frames import ChunkFraming, framing_for
from asf.domain.streaming.audio import AudioBatch

ENVELOPE = '451-/api/v1/podcasts/stream,["audio_chunk",{"_placeholder":true,"num":0}]'


def messages_in(frames: bytes) -> list[str | bytes]:
    """Return the messages in the frames."""
    connection = Connection(ConnectionType.CLIENT)
    connection.receive_data(frames)
    messages: list[str | bytes] = []
    pending: list[str | bytes] = []
    for event in connection.events():
        assert isinstance(event, TextMessage | BytesMessage)
        pending.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if event.message_finished:
            messages.append(pending[0][:0].join(pending))  # type: ignore[arg-type]
            pending = []
    assert not pending
    return messages


@st.composite
def batches(draw: st.DrawFn) -> AudioBatch:
    """Return batches of all shapes: the last chunk may be short."""
    chunk = draw(st.sampled_from([1, 7, 125, 126, 127, 4096, 65535, 65536, 70000]))
    count = draw(st.integers(1, 5))
    last = draw(st.integers(1, chunk))
    start = draw(st.integers(0, 3)) * chunk * 5
    return AudioBatch(start, random.Random(draw(st.integers(0, 1000))).randbytes((count - 1) * chunk + last), chunk)


@given(batch=batches(), envelope=st.sampled_from(["", ENVELOPE]), data=st.data())
def test_frames_are_the_chunks(batch: AudioBatch, envelope: str, data: st.DataObject) -> None:
    """Any part of a batch is its chunks, each after the envelope; rendering twice makes no difference."""
    framing = ChunkFraming(envelope)
    start = data.draw(st.integers(batch.offset, batch.end - 1))
    stop = data.draw(st.integers(start + 1, batch.end))
    for _ in range(2):
        messages = messages_in(bytes(framing.render(batch, start, stop)))
        chunks = [message for message in messages if isinstance(message, bytes)]
        assert chunks == batch.chunks(start, stop)
        assert b"".join(chunks) == batch.data[start - batch.offset : stop - batch.offset]
        assert [message for message in messages if isinstance(message, str)] == [envelope] * len(chunks) * bool(
            envelope
        )


@given(batch=batches(), envelope=st.sampled_from(["", ENVELOPE]), data=st.data())
def test_a_partial_send_is_completed_to_whole_messages(batch: AudioBatch, envelope: str, data: st.DataObject) -> None:
    """What was sent plus what is missing is whole messages with exactly the audio counted."""
    framing = ChunkFraming(envelope)
    start = data.draw(st.integers(batch.offset, batch.end - 1))
    frames = bytes(framing.render(batch, start, batch.end))
    sent = data.draw(st.integers(0, len(frames)))
    audio, missing = framing.split_sent(batch, start, batch.end, sent)
    whole = messages_in(frames[: sent + missing])
    assert b"".join(part for part in whole if isinstance(part, bytes)) == batch.data[start - batch.offset :][:audio]
    assert missing < len(framing.overhead(batch.chunk_bytes)) + batch.chunk_bytes
    if sent == 0:
        assert (audio, missing) == (0, 0)


def test_a_thousand_listeners_share_one_rendering() -> None:
    """Whole batches are rendered once for all users of an envelope."""
    batch = AudioBatch(0, bytes(65536), 4096)
    views = [framing_for(ENVELOPE).render(batch, 0, 65536) for _ in range(3)]
    assert all(view is views[0] for view in views)
    parts = [framing_for(ENVELOPE).render(batch, 4096, 65536) for _ in range(2)]
    assert all(isinstance(part, memoryview) and part.obj is views[0] for part in parts)
