"""Audio that is being generated: where the voice agent writes it."""

import io

from asf.client.demand import DemandPoll, is_beyond
from asf.client.responses import Demand


class GeneratedAudio(io.BufferedIOBase):
    """A writable file for audio. Written bytes are available to listeners immediately.

    `stream_id` and `epoch` are those of the stream; `total_bytes` is how long the audio is so far.
    """

    def __init__(self, stream_id: str, epoch: str, demand: DemandPoll | None = None) -> None:
        self.stream_id = stream_id
        self.epoch = epoch
        self.total_bytes = 0
        self._demand = demand

    @property
    def listeners(self) -> int | None:
        """How many listeners the stream has; None while that is unknown.

        Up to a second old or, after a pause, as old as the last time that any of these properties was read. Reading
        it never waits: it starts the next question.
        """
        demand = self._latest_demand()
        return None if demand is None else demand.listeners

    @property
    def needed_until(self) -> int | None:
        """The furthest offset, in bytes, before which a listener needs the audio. As fresh as `listeners`.

        None while it is unknown, and if no listener needs audio that has yet to be generated.
        """
        demand = self._latest_demand()
        return None if demand is None else demand.needed_until

    @property
    def is_wanted(self) -> bool:
        """Whether a listener needs more audio than is written; True if unknown. As fresh as `listeners`."""
        return is_beyond(self._latest_demand(), self.total_bytes)

    def wait_until_wanted(self, seconds: float | None = None) -> bool:
        """Wait until a listener needs more audio than is written, for at most `seconds`. Returns whether one does.

        A generator that calls this before each sentence makes no audio that nobody waits for. The stream stays
        `generating` meanwhile. Returns True at once if the server does not answer, or does not know.
        """
        return self._demand is None or self._demand.wait_until_beyond(self.total_bytes, seconds)

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how long the audio is so far, in bytes."""
        return self.total_bytes

    def _latest_demand(self) -> Demand | None:
        return None if self._demand is None else self._demand.latest
