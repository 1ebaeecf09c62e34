"""Checks the Sentinels that name the Redis of the server."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from asf.application.diagnosis.finding import Finding, Severity, problem

if TYPE_CHECKING:
    from asf.adapters.redis_store.sentinel import MasterView, Sentinel

SUBJECT = "sentinel"
DOWN_FLAGS = {"s_down", "o_down"}


def examine_sentinels(url: str) -> Iterator[Finding]:
    """Yield what each Sentinel of `url` says about the master, and whether a failover is possible.

    Waits for the timeout of those that do not respond. Never shows a password.
    """
    from redis import RedisError  # noqa: PLC0415 - an extra

    from asf.adapters.redis_store.sentinel import Sentinel  # noqa: PLC0415
    from asf.adapters.redis_store.sentinel_url import parse_sentinel_url  # noqa: PLC0415

    parts = parse_sentinel_url(url)
    sentinels = [Sentinel(address, one, parts.master_name) for address, one in parts.sentinels.items()]
    views: dict[Sentinel, MasterView] = {}
    failures: dict[Sentinel, str] = {}
    for sentinel in sentinels:
        try:
            views[sentinel] = sentinel.ask()
        except (RedisError, OSError) as error:
            failures[sentinel] = str(error)
    yield from _examine_each(parts.master_name, views, failures)
    if views:
        best = max(views, key=lambda one: views[one].epoch)
        yield from _examine_failover(best, views[best])
    for sentinel in sentinels:
        sentinel.disconnect()


def _examine_each(
    master_name: str, views: "Mapping[Sentinel, MasterView]", failures: "Mapping[Sentinel, str]"
) -> Iterator[Finding]:
    remedy = (
        "Start it, or correct ASF_REDIS_URL: the Sentinels' addresses, the name of the master, sentinel_password."
    )
    severity = Severity.ADVICE if views else Severity.PROBLEM
    for sentinel, failure in failures.items():
        yield Finding(SUBJECT, severity, f"{sentinel.address} does not name '{master_name}': {failure}", remedy)
    latest = max((view.epoch for view in views.values()), default=0)
    for sentinel, view in views.items():
        text = f"{sentinel.address} names {view.address} as '{master_name}'"
        if view.epoch == latest:
            yield Finding(SUBJECT, Severity.OK, text)
        else:
            remedy = "See its log: the other Sentinels cannot reach it, or it has just returned."
            yield Finding(SUBJECT, Severity.ADVICE, f"{text}, as before the latest failover", remedy)


def _examine_failover(sentinel: "Sentinel", view: "MasterView") -> Iterator[Finding]:
    from redis import RedisError  # noqa: PLC0415 - an extra

    if DOWN_FLAGS & set(view.state.get("flags", "").split(",")):
        text = f"{sentinel.address} considers the master down ({view.address})"
        yield problem(SUBJECT, text, "Wait for the failover, or start the master.")
    if view.state.get("num-slaves") == "0":
        text = "the master has no replica, so no failover is possible"
        yield Finding(SUBJECT, Severity.ADVICE, text, "Add a replica (replicaof).")
    try:
        quorum_problem = sentinel.quorum_problem()
    except (RedisError, OSError) as error:
        quorum_problem = str(error)
    if quorum_problem:
        text = f"no failover is possible: {quorum_problem}"
        yield Finding(SUBJECT, Severity.ADVICE, text, "Start the other Sentinels, and see their logs.")
