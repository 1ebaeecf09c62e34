"""Whatever overtakes what on its way, nobody sees an older value of a stream after a newer one."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.followed_streams import READS, FollowedStreams
from asf.adapters.serial_executor import run_at_once
from asf.domain.errors import CatalogUnavailable
from asf.domain.streams.stream import AudioStream, FileLocator
from tests.support.faults import LATE_NEWS


def stream_at(number: int) -> AudioStream:
    """Return a value that was announced then."""
    return AudioStream("a", FileLocator("/audio/one.mp3"), epoch=str(number), announced_at=float(number))


class Store:
    """A store that changes, and whose changes arrive, while it is read; `choices` say when what happens."""

    def __init__(self, choices: list[int]) -> None:
        self._choices = deque(choices)
        self._on_the_way: deque[AudioStream | None] = deque()
        self._meanwhile_left = 0
        self.values: list[AudioStream | None] = [None]
        self.seen: list[AudioStream | None] = []
        self.reported: AudioStream | None = None
        self.followed = FollowedStreams(run_at_once, self.read)
        self.followed.on_change.connect(self._watch)
        self.followed.add("a")

    def run(self) -> None:
        """Do what was chosen, to the last change."""
        while self._choices:
            self._meanwhile_left = READS - 1  # Nothing changes during each of so many reads in a row.
            self._do(self._choices.popleft())
        while self._on_the_way:
            self.followed.report("a", self._on_the_way.popleft())

    def read(self, _stream_id: str) -> AudioStream | None:
        """Return a value. Other things happen before, and after."""
        self._meanwhile()
        stream = self.values[-1]
        self._meanwhile()
        return stream

    def _watch(self, _stream_id: str, stream: AudioStream | None) -> None:
        self.reported = stream
        self.seen.append(stream)

    def _meanwhile(self) -> None:
        if self._choices and self._meanwhile_left:
            self._meanwhile_left -= 1
            self._do(self._choices.popleft())

    def _do(self, choice: int) -> None:
        match choice:
            case 0:
                self._change(stream_at(len(self.values)))
            case 1 if self.values[-1] is not None:
                self._change(None)
            case 2 if self._on_the_way:
                self.followed.report("a", self._on_the_way.popleft())
            case 3:
                self.seen.append(self.followed.current("a"))
            case 4:
                arrivals = self.followed.arrivals("a")
                stream = self.read("a")
                if stream is not None and self.followed.arrivals("a") == arrivals:
                    self.followed.report_read("a", stream)

    def _change(self, stream: AudioStream | None) -> None:
        self.values.append(stream)
        self._on_the_way.append(stream)

    def is_in_order(self) -> bool:
        """Return whether what was seen never goes back to an earlier value.

        That there is no stream does not say since when: those that were announced before may still be reported.
        """
        place = 0
        for stream in self.seen:
            later = [number for number, value in enumerate(self.values) if number >= place and value == stream]
            if not later:
                return False
            place = place if stream is None else later[0]
        return True


@LATE_NEWS
@given(choices=st.lists(st.sampled_from([0, 0, 1, 2, 2, 3, 3, 4]), max_size=25))
def test_nobody_sees_an_older_value_after_a_newer_one(choices: list[int]) -> None:
    """And the last value is reported."""
    store = Store(choices)
    store.run()
    assert store.is_in_order(), (store.values, store.seen)
    assert store.reported == store.values[-1]


@LATE_NEWS
def test_a_change_that_arrives_while_the_value_is_read_is_not_undone() -> None:
    """The answer was older: it is read again."""
    answers = [stream_at(1), stream_at(2)]

    def read(stream_id: str) -> AudioStream:
        if len(answers) == 2:
            followed.report(stream_id, stream_at(2))
        return answers.pop(0)

    followed = FollowedStreams(run_at_once, read)
    followed.add("a")
    assert followed.current("a") == stream_at(2)
    assert answers == []


def test_a_value_that_the_store_has_lost_hides_nothing() -> None:
    """It came back with less, and another server announces the stream by a clock that is behind."""
    seen: list[AudioStream | None] = []
    followed = FollowedStreams(run_at_once, lambda _: stream_at(9))
    followed.on_change.connect(lambda _, stream: seen.append(stream))
    followed.add("a")
    assert followed.current("a") == stream_at(9)
    followed.report("a", stream_at(5))
    followed.forget_reads()
    followed.report("a", stream_at(6))
    assert seen == [stream_at(6)]


def test_a_deletion_is_reported_while_the_store_cannot_be_read() -> None:
    """Although it may be older than the value that was read."""
    seen: list[AudioStream | None] = []
    answers: list[AudioStream] = [stream_at(1)]

    def read(_stream_id: str) -> AudioStream:
        if not answers:
            raise CatalogUnavailable
        return answers.pop()

    followed = FollowedStreams(run_at_once, read)
    followed.on_change.connect(lambda _, stream: seen.append(stream))
    followed.add("a")
    followed.current("a")
    followed.report("a", None)
    assert seen == [None]
