"""Which master counts, of those that Sentinels name."""

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from asf.adapters.redis_store import master_finder
from asf.adapters.redis_store.master_choice import MasterChoice
from asf.adapters.redis_store.master_finder import MasterFinder
from asf.adapters.redis_store.sentinel import MasterView
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.processes import eventually


class FakeSentinel:
    """Says `view`, or fails while that is None; while `is_hung` is set, it says nothing."""

    def __init__(self, name: str, view: MasterView | None = None) -> None:
        self.address = name
        self.view = view
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def ask(self) -> MasterView:
        self.asked += 1
        self.answers.wait(PATIENCE_SECONDS)
        if self.view is None:
            raise redis.ConnectionError(f"{self.address} is away.")
        return self.view


def view(epoch: int, host: str = "old") -> MasterView:
    """Return where the master is."""
    return MasterView(epoch, host, 6379)


def finder_of(*sentinels: FakeSentinel, moves: list[str] | None = None) -> MasterFinder:
    """Return what asks them."""
    return MasterFinder("mymaster", sentinels, ([] if moves is None else moves).append)  # type: ignore[arg-type]


def test_the_latest_failover_counts() -> None:
    """However many Sentinels do not know of it yet, or do not respond."""
    choice = MasterChoice(3)
    assert [choice.note(number, view(5)) for number in range(3)] == [False] * 3
    assert choice.note(1, view(6, "new"))
    assert not choice.note(1, None)
    assert not choice.note(2, None)
    assert choice.master == view(6, "new")
    assert not choice.note(0, view(5)), "one of three"
    assert choice.note(2, view(5)), "a majority knows nothing later"
    assert choice.master == view(5)


def test_a_sentinel_that_was_cut_off_does_not_count() -> None:
    """A minority that knows an older master, while all others do not respond."""
    choice = MasterChoice(3)
    choice.note(0, view(6, "new"))
    choice.note(0, None)
    assert not choice.note(1, view(5))
    assert choice.master == view(6, "new")


def test_sentinels_that_are_set_up_again_count() -> None:
    """Their epochs start with 0."""
    choice = MasterChoice(3)
    for epoch, host in ((7, "old"), (0, "other")):
        for number in range(3):
            choice.note(number, view(epoch, host))
    assert choice.master == view(0, "other")


VIEWS = st.none() | st.builds(view, st.integers(0, 3), st.sampled_from(["a", "b"]))


@given(st.lists(st.tuples(st.integers(0, 2), VIEWS)))
def test_the_epoch_falls_only_where_a_majority_responds(said: list[tuple[int, MasterView | None]]) -> None:
    """Whatever the Sentinels say, and in whatever order."""
    choice, latest = MasterChoice(3), dict[int, MasterView]()
    for sentinel, one in said:
        before = choice.master
        has_moved = choice.note(sentinel, one)
        latest.pop(sentinel, None)
        if one is not None:
            latest[sentinel] = one
        after = choice.master
        if after is None:
            assert before is None
            continue
        assert after.epoch >= max((each.epoch for each in latest.values()), default=0)
        assert after == before or after in latest.values()
        if before is not None:
            assert has_moved == (after.address != before.address)
            assert after.epoch >= before.epoch or len(latest) > 1


def test_the_master_stays_while_no_sentinel_responds(caplog: pytest.LogCaptureFixture) -> None:
    """The log says once that it does not, and that it does again."""
    sentinel = FakeSentinel("s0", view(5))
    finder = finder_of(sentinel)
    finder.find(PATIENCE_SECONDS)
    sentinel.view = None
    with caplog.at_level("INFO"):
        for _ in range(3):
            assert finder.find(PATIENCE_SECONDS) == ("old", 6379)
        sentinel.view = view(5)
        finder.find(PATIENCE_SECONDS)
    assert [record.getMessage() for record in caplog.records] == [
        "Sentinel s0 does not name the master 'mymaster': s0 is away",
        "Sentinel s0 names the master 'mymaster' again",
    ]


def test_no_master_is_known() -> None:
    """The error names the Sentinels and their problems."""
    finder = finder_of(FakeSentinel("s0"), FakeSentinel("s1"))
    with pytest.raises(redis.ConnectionError, match="No Sentinel names the master 'mymaster'") as caught:
        finder.find(PATIENCE_SECONDS)
    assert "s0: s0 is away" in str(caught.value)
    assert "s1: s1 is away" in str(caught.value)


@pytest.fixture
def hung() -> Iterator[list[FakeSentinel]]:
    """Return three that say nothing until the end."""
    sentinels = [FakeSentinel(f"s{number}", view(5)) for number in range(3)]
    for sentinel in sentinels:
        sentinel.answers.clear()
    yield sentinels
    for sentinel in sentinels:
        sentinel.answers.set()


def test_sentinels_that_hang_are_waited_for_no_longer_than_asked(hung: list[FakeSentinel]) -> None:
    """And each is asked once at a time, however many want to know."""
    finder = finder_of(*hung)
    for _ in range(5):
        with pytest.raises(redis.ConnectionError, match="none has responded in time"):
            finder.find(0.0)
    assert max(sentinel.asked for sentinel in hung) == 1


def test_one_that_responds_is_enough(hung: list[FakeSentinel]) -> None:
    """The others hang, wherever in the list it is."""
    hung[1].answers.set()
    assert finder_of(*hung).find(PATIENCE_SECONDS) == ("old", 6379)


def test_an_answer_that_is_late_serves_the_next_one(hung: list[FakeSentinel]) -> None:
    """It is not lost with the one who waited."""
    finder = finder_of(*hung)
    with pytest.raises(redis.ConnectionError):
        finder.find(0.0)
    hung[2].answers.set()

    def is_found() -> bool:
        with suppress(redis.ConnectionError):
            return finder.find(0.0) == ("old", 6379)
        return False

    eventually(is_found)


def test_each_question_waits_for_an_answer_that_is_given_after_it() -> None:
    """What was known before may be over."""
    sentinel, moves = FakeSentinel("s0", view(5)), list[str]()
    finder = finder_of(sentinel, moves=moves)
    assert finder.find(PATIENCE_SECONDS)[0] == "old"
    sentinel.view = view(6, "new")
    assert finder.find(PATIENCE_SECONDS)[0] == "new"
    assert moves == ["Redis has failed over."]


def test_the_watch_finds_a_failover_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks."""
    monkeypatch.setattr(master_finder, "WATCH_SECONDS", 0.001)
    sentinel, moves = FakeSentinel("s0", view(5)), list[str]()
    threading.Thread(target=finder_of(sentinel, moves=moves).run, daemon=True).start()
    eventually(lambda: sentinel.asked > 1)
    sentinel.view = view(6, "new")
    eventually(lambda: moves)


def test_a_sentinel_that_fails_otherwise_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the program ends nothing."""
    sentinel = FakeSentinel("s0", view(5))
    finder = finder_of(sentinel)

    def fail() -> MasterView:
        raise RuntimeError("as told")

    with monkeypatch.context() as patched:
        patched.setattr(sentinel, "ask", fail)
        with pytest.raises(redis.ConnectionError, match="RuntimeError"):
            finder.find(PATIENCE_SECONDS)
    assert "Asking a Sentinel failed" in caplog.text
    assert finder.find(PATIENCE_SECONDS) == ("old", 6379)
