"""What a worker gets from the supervisor: descriptors that it inherits, and settings that all workers share."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """One worker's part. Descriptors are numbers, the same in the supervisor and in the worker."""

    slot: int
    generation: int
    slots: int
    capacity: int
    """Of the table: see `WorkerTable`."""
    table: int
    listening: list[int]
    inboxes: list[list[int]]
    """The sending and the receiving end of each slot's inbox."""
    lifeline: int
    """The reading end of a pipe whose writing end only the supervisor has."""
    status: int
    """The writing end of a pipe: the worker writes a byte when it is ready."""
    folder: str
    """A private directory of this server."""
    is_first: bool
    """Whether this worker logs what concerns the whole server."""
    hash_key: str = field(repr=False)
    """Hexadecimal digits."""
    secret_key: str = field(repr=False)
    """ASF_SECRET_KEY, which may be random."""
    redis_url: str = field(repr=False)
    redis_is_private: bool
    upload_directory: str
    """Empty for that of the settings."""

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that a worker inherits."""
        receiving = self.inboxes[self.slot][1]
        sending = [sender for sender, _ in self.inboxes]
        return [self.table, *self.listening, *sending, receiving, self.lifeline, self.status]

    def to_json(self) -> bytes:
        """Return all of it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return what `to_json` has described."""
        values: dict[str, Any] = json.loads(data)
        return cls(**values)
