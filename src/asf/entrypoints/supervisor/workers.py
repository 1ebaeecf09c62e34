"""The worker processes: what all of them inherit, and how one is started."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from asf.adapters.workers.place import WorkerPlace
from asf.adapters.workers.table import Row, State, WorkerTable, create_file, size_of
from asf.entrypoints.interpreter import command_of
from asf.settings import Settings

MAX_CAPACITY = 2**20
"""Largest number of addresses that one worker can count."""

HASH_KEY_BYTES = 16

MAX_MESSAGE_BYTES = 64 * 1024
"""More than any message in an inbox."""


class WorkerProcess:
    """A worker: `status` is the descriptor from which a byte can be read when it is ready."""

    def __init__(self, process: "subprocess.Popen[bytes]", slot: int, generation: int, status: int) -> None:
        self.process = process
        self.slot = slot
        self.generation = generation
        self.status = status
        self.ready_at: float | None = None
        """Monotonic seconds; None while it starts."""
        self.is_leaving = False
        """Whether it drains, to end."""
        self.beats = 0
        """Its signs of life at the last look."""
        self.silent_looks = 0
        """Looks in a row without a new one."""

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self.process.pid

    def note_ready(self) -> bool:
        """Read the byte, and return whether there was one: nothing when the process has ended."""
        if os.read(self.status, 1):
            self.ready_at = time.monotonic()
        return self.ready_at is not None

    def seconds_ready(self) -> float:
        """Return for how long it has been ready."""
        return 0.0 if self.ready_at is None else time.monotonic() - self.ready_at

    def drain(self) -> None:
        """Ask it to drain, and to end."""
        self.is_leaving = True
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Workers:
    """Starts workers, in `settings.workers` slots and one more, in which the next one of a reload begins.

    `listening` are the listening sockets. All workers have the secret key of `settings`, which may be random.
    """

    def __init__(
        self,
        settings: Settings,
        listening: Sequence[socket.socket],
        folder: Path,
        redis_url: str,
        upload_directory: Path | None,
    ) -> None:
        self.slots = settings.workers + 1
        self._settings = settings
        self._listening = listening
        self._folder = folder
        self._redis_url = redis_url
        self._upload_directory = upload_directory
        capacity = min(MAX_CAPACITY, 1 << (4 * settings.max_connections - 1).bit_length())
        self.table = WorkerTable(create_file(size_of(self.slots, capacity)), self.slots, capacity)
        # Both ends stay open here: what is in the inbox of a worker that has ended goes to the next one.
        self._inboxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(self.slots)]
        for one in (end for pair in self._inboxes for end in pair):
            one.settimeout(0)  # `send_fds` and `recv_fds` ignore their flags.
        self._lifeline = os.pipe()  # Nobody writes.
        self._generation = 0
        self._hash_key = secrets.token_hex(HASH_KEY_BYTES)
        self.by_slot: dict[int, WorkerProcess] = {}

    def start(self, slot: int, *, is_first: bool = False) -> WorkerProcess:
        """Start a worker in a slot that is free. Raises OSError."""
        self._generation += 1
        reading, status = os.pipe()
        place = self._place(slot, status, is_first=is_first)
        self.table.set(Row.GENERATION, slot, self._generation)
        self.table.set(Row.STATE, slot, State.STARTING)
        try:
            process = self._launch(place)
        except BaseException:
            os.close(reading)
            self.table.clear(slot)
            raise
        finally:
            os.close(status)
        self.by_slot[slot] = WorkerProcess(process, slot, self._generation, reading)
        return self.by_slot[slot]

    def find(self, pid: int) -> WorkerProcess | None:
        """Return the worker that is this process."""
        return next((one for one in self.by_slot.values() if one.pid == pid), None)

    def forget(self, worker: WorkerProcess) -> None:
        """Free the slot of a worker that has ended."""
        del self.by_slot[worker.slot]
        os.close(worker.status)
        self.table.clear(worker.slot)

    def pass_on(self, slot: int) -> None:
        """Give the connections in the inbox of a slot without a worker to one that is ready; else they wait there."""
        ready = [one for one in self.by_slot if self.table.get(Row.STATE, one) == State.READY]
        if not ready:
            return
        sending, (_, receiving) = self._inboxes[ready[0]][0], self._inboxes[slot]
        with suppress(OSError):  # The one inbox is empty, or the other one full.
            while True:
                message, descriptors, _, _ = socket.recv_fds(receiving, MAX_MESSAGE_BYTES, 1)
                try:
                    socket.send_fds(sending, [message], descriptors)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)

    def drain_all(self) -> None:
        """Ask all workers to drain. None hands a connection over to another one any more."""
        for worker in self.by_slot.values():
            self.table.set(Row.STATE, worker.slot, State.DRAINING)
        for worker in self.by_slot.values():
            worker.drain()

    def free_slot(self) -> int | None:
        """Return a slot without a worker."""
        return next((slot for slot in range(self.slots) if slot not in self.by_slot), None)

    def _place(self, slot: int, status: int, *, is_first: bool) -> WorkerPlace:
        return WorkerPlace(
            slot=slot,
            generation=self._generation,
            slots=self.slots,
            capacity=self.table.capacity,
            table=self.table.descriptor,
            listening=[one.fileno() for one in self._listening],
            inboxes=[[sending.fileno(), receiving.fileno()] for sending, receiving in self._inboxes],
            lifeline=self._lifeline[0],
            status=status,
            folder=str(self._folder),
            is_first=is_first,
            hash_key=self._hash_key,
            secret_key=self._settings.secret_key,
            redis_url=self._redis_url,
            redis_is_private=not self._settings.redis_url,
            upload_directory=str(self._upload_directory or ""),
        )

    @staticmethod
    def _launch(place: WorkerPlace) -> "subprocess.Popen[bytes]":
        reading, writing = os.pipe()
        try:
            os.write(writing, place.to_json())  # Much less than a pipe holds.
        finally:
            os.close(writing)
        arguments = [*command_of("asf.entrypoints.supervisor.worker"), str(reading)]
        try:
            return subprocess.Popen(  # noqa: S603 - no part of it comes from clients
                arguments,
                pass_fds=[reading, *place.descriptors],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the supervisor.
            )
        finally:
            os.close(reading)
