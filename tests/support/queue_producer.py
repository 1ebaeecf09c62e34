"""A voice agent that puts audio into a queue, as docs/backend.md tells it to."""

import redis

from asf.adapters.redis_store.queues.entries import PREFIX


class QueueProducer:
    """Puts pieces of one audio into the queue of that name, one behind the other.

    `entry_id` is what Redis is told of the ids: `*` for those of its clock, or `MILLISECONDS-*` for those of a clock
    that is set to that time.
    """

    def __init__(self, client: redis.Redis, name: str) -> None:
        self._client = client
        self.name = name
        self.key = PREFIX + name
        self.offset = 0
        self.entry_id = "*"

    @property
    def locator(self) -> str:
        """What the queue is announced as."""
        return f"queue:{self.name}"

    def put(self, audio: bytes) -> None:
        """Put in the next piece."""
        self.add(offset=self.offset, audio=audio)
        self.offset += len(audio)

    def put_all(self, audio: bytes, piece_bytes: int = 4096) -> None:
        """Put in the next pieces, of so many bytes each, without waiting for each."""
        with self._client.pipeline(transaction=False) as pipeline:
            for start in range(0, len(audio), piece_bytes):
                piece = audio[start : start + piece_bytes]
                pipeline.xadd(self.key, {"offset": self.offset, "audio": piece}, self.entry_id)
                self.offset += len(piece)
            pipeline.execute()

    def end(self, state: str = "complete", reason: str | None = None) -> None:
        """Say that this was all."""
        self.add(offset=self.offset, end=state, **({} if reason is None else {"reason": reason}))

    def add(self, **fields: bytes | str | int) -> None:
        """Put in an entry, whatever it may be."""
        self._client.xadd(self.key, fields, self.entry_id)  # type: ignore[arg-type]

    def delete(self) -> None:
        """Delete the queue, to begin it anew."""
        self._client.delete(self.key)
        self.offset = 0
