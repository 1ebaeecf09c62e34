"""What every `UpdateLog` promises."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from asf.domain.errors import IdempotencyConflict, UiEmitFailed
from asf.domain.updates.ports import UpdateLog
from asf.domain.updates.update import EVERYTHING, AppendResult, Position, SequencedUpdate, UiUpdate
from tests.support.examples import examples
from tests.support.processes import eventually

MAX_UPDATES = 4
MAX_SECONDS = 60.0
START = 1_700_000_000.0

client_ids = st.sampled_from(["alice", "bob"])
data = st.none() | st.integers() | st.just({"text": "Über alles", "list": [1, None, 2.5]})


def listen_to(log: UpdateLog) -> list[SequencedUpdate]:
    """Return a list that gets every update that the log broadcasts."""
    heard: list[SequencedUpdate] = []
    log.connect(heard.append, lambda: None)
    return heard


def broadcast(results: Sequence[AppendResult]) -> list[SequencedUpdate]:
    """Return the updates that the log broadcasts, as it says."""
    return [result.update for result in results if result.is_broadcast]


class UpdateLogContract:
    """Inherit, and provide the fixture `make_log`: returns an empty log at each call, for `MAX_UPDATES` updates of
    each client and `MAX_SECONDS`.
    """  # noqa: D205

    @pytest.fixture
    def make_log(self) -> Callable[[], UpdateLog]:
        raise NotImplementedError

    @pytest.fixture
    def log(self, make_log: Callable[[], UpdateLog]) -> UpdateLog:
        return make_log()

    def test_updates_of_each_client_are_numbered_from_one(self, log: UpdateLog) -> None:
        for number in (1, 2, 3):
            for client_id in ("alice", "bob"):
                kept = log.append(UiUpdate(client_id, "progress", {"n": number}), START, START).update
                assert (kept.client_id, kept.event_name, kept.data_json) == (
                    client_id,
                    "progress",
                    f'{{"n":{number}}}',
                )
                assert (kept.seq, kept.timestamp) == (number, START)

    def test_without_a_position_only_the_latest_is_returned(self, log: UpdateLog) -> None:
        kept = log.append(UiUpdate("alice", "progress", 1), START, START).update
        recovery = log.recover("alice", None, START)
        assert (recovery.latest, recovery.updates) == (Position(kept.epoch, 1), ())

    def test_the_position_of_a_client_without_updates_is_stable(self, log: UpdateLog) -> None:
        """So a subscriber that subscribed before the first update can recover what it missed."""
        latest = log.recover("alice", EVERYTHING, START).latest
        assert latest.seq == 0
        assert latest.epoch
        kept = log.append(UiUpdate("alice", "progress", 1), START, START).update
        recovery = log.recover("alice", latest, START)
        assert (recovery.recovered, recovery.updates) == (True, (kept,))

    def test_the_same_key_is_the_same_update(self, log: UpdateLog) -> None:
        update = UiUpdate("alice", "progress", {"a": 1}, "key-1")
        first = log.append(update, START, START)
        again = log.append(replace(update), START + 299, START + 299)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.update == first.update
        assert log.recover("alice", None, START).latest.seq == 1

    @pytest.mark.parametrize(
        "other",
        [
            UiUpdate("bob", "progress", {"a": 1}, "key-1"),
            UiUpdate("alice", "done", {"a": 1}, "key-1"),
            UiUpdate("alice", "progress", {"a": 2}, "key-1"),
        ],
    )
    def test_the_same_key_with_something_else_is_a_conflict(self, log: UpdateLog, other: UiUpdate) -> None:
        log.append(UiUpdate("alice", "progress", {"a": 1}, "key-1"), START, START)
        with pytest.raises(IdempotencyConflict):
            log.append(other, START, START)
        assert log.recover("alice", None, START).latest.seq == 1
        assert log.recover("bob", None, START).latest.seq == 0

    def test_a_key_is_forgotten_after_five_minutes(self, log: UpdateLog) -> None:
        for timestamp in (START, START + 301):
            assert not log.append(UiUpdate("alice", "progress", 1, "key-1"), timestamp, timestamp).duplicate

    @pytest.mark.parametrize("since", [Position("another", 1), Position("", 1), Position("another", 0)])
    def test_a_position_of_another_epoch_is_unknown(self, log: UpdateLog, since: Position) -> None:
        log.append(UiUpdate("alice", "progress", 1), START, START)
        recovery = log.recover("alice", since, START)
        assert (recovery.recovered, recovery.updates) == (False, ())

    def test_a_position_in_the_future_is_unknown(self, log: UpdateLog) -> None:
        epoch = log.append(UiUpdate("alice", "progress", 1), START, START).update.epoch
        recovery = log.recover("alice", Position(epoch, 2), START)
        assert (recovery.recovered, recovery.updates) == (False, ())

    def test_updates_of_followed_clients_are_broadcast(self, log: UpdateLog) -> None:
        """By a log that broadcasts: each once, in `seq` order, while there is a subscriber; of no other client."""
        heard = listen_to(log)
        log.append(UiUpdate("alice", "progress", 0), START, START)
        log.follow("alice")
        log.follow("alice")
        kept = [log.append(UiUpdate("alice", "progress", {"n": "ü"}), START + n, START) for n in range(1, 9)]
        log.append(UiUpdate("bob", "progress", 1), START, START)
        eventually(lambda: heard == broadcast(kept))
        log.unfollow("alice")
        kept.append(log.append(UiUpdate("alice", "done", None), START, START))
        eventually(lambda: heard == broadcast(kept))
        log.unfollow("alice")
        log.follow("bob")
        kept.append(log.append(UiUpdate("bob", "progress", 2), START, START))
        eventually(lambda: heard == broadcast(kept))
        assert [(one.update.client_id, one.update.seq) for one in kept] == [
            *(("alice", seq) for seq in range(2, 11)),
            ("bob", 2),
        ]

    def test_a_duplicate_is_not_broadcast(self, log: UpdateLog) -> None:
        heard = listen_to(log)
        log.follow("alice")
        kept = [log.append(UiUpdate("alice", "progress", 1, key), START, START) for key in ("one", "one", "two")]
        assert [(one.update.seq, one.duplicate) for one in kept] == [(1, False), (1, True), (2, False)]
        eventually(lambda: heard[-1:] == broadcast(kept[-1:]))
        assert heard == broadcast([kept[0], kept[2]])

    def test_an_update_is_kept_whatever_becomes_of_its_delivery(self, log: UpdateLog) -> None:
        """`append` raises nothing of its listener, which hears later updates all the same."""
        heard: list[SequencedUpdate] = []

        def fail(update: SequencedUpdate) -> None:
            heard.append(update)
            raise UiEmitFailed("broken") if update.seq == 1 else RuntimeError("a bug")

        log.connect(fail, lambda: None)
        log.follow("alice")
        kept = [log.append(UiUpdate("alice", "progress", number, f"key-{number}"), START, START) for number in (1, 2)]
        assert [(one.update.seq, one.duplicate, one.subscribers) for one in kept] == [(1, False, 1), (2, False, 1)]
        eventually(lambda: heard == broadcast(kept))
        assert log.recover("alice", EVERYTHING, START).updates == tuple(one.update for one in kept)
        assert log.append(UiUpdate("alice", "progress", 1, "key-1"), START, START).duplicate

    def test_an_answer_tells_how_many_subscribers_there_are(self, log: UpdateLog) -> None:
        """Of a duplicate as well: those that there are now."""
        update = UiUpdate("alice", "progress", 1, "key")
        assert log.append(update, START, START).subscribers == 0
        assert log.append(update, START, START).subscribers == 0
        log.follow("alice")
        assert log.append(UiUpdate("alice", "progress", 2), START, START).subscribers == 1
        assert log.append(update, START, START).subscribers == 1

    def test_as_a_model(self, make_log: Callable[[], UpdateLog]) -> None:
        """Any order of updates, recoveries and the passing of time."""

        class Machine(RuleBasedStateMachine):
            def __init__(self) -> None:
                super().__init__()
                self.log = make_log()
                self.time = START
                self.model: dict[str, list[SequencedUpdate]] = {"alice": [], "bob": []}

            @rule(client_id=client_ids, data=data)
            def append(self, client_id: str, data: object) -> None:
                kept = self.log.append(UiUpdate(client_id, "progress", data), self.time, self.time).update
                self.model[client_id].append(kept)
                assert kept.seq == len(self.model[client_id])
                assert kept.epoch == self.model[client_id][0].epoch

            @rule(seconds=st.floats(0.5, MAX_SECONDS * 1.2))
            def wait(self, seconds: float) -> None:
                self.time += seconds

            @rule(client_id=client_ids)
            def ask_for_all(self, client_id: str) -> None:
                recovery = self.log.recover(client_id, EVERYTHING, self.time)
                assert recovery.recovered
                assert list(recovery.updates) == self._reachable(client_id)

            @precondition(lambda self: any(self.model.values()))
            @rule(client_id=client_ids, back=st.integers(-2, MAX_UPDATES + 3))
            def come_back(self, client_id: str, back: int) -> None:
                updates = self.model[client_id]
                if not updates:
                    return
                since = Position(updates[-1].epoch, max(0, len(updates) - back))
                recovery = self.log.recover(client_id, since, self.time)
                behind = [update for update in updates if update.seq > since.seq]
                assert recovery.latest == Position(updates[-1].epoch, len(updates))
                reachable = since.seq <= len(updates) and len(behind) <= len(self._reachable(client_id))
                assert recovery.recovered is reachable
                assert list(recovery.updates) == (behind if reachable else [])

            def _reachable(self, client_id: str) -> list[SequencedUpdate]:
                latest = self.model[client_id][-MAX_UPDATES:]
                return [update for update in latest if update.timestamp > self.time - MAX_SECONDS]

        run_state_machine_as_test(Machine, settings=settings(max_examples=examples(100), stateful_step_count=40))
