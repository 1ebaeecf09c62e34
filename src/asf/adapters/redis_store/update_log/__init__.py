"""The latest UI updates of each client in Redis, which several servers share: implements the `UpdateLog` port.

Scripts, each of which Redis runs as one atomic step, assign the numbers: without gaps, across all servers. The same
step publishes an update to all servers that have subscribers of its client, including the one that appends it: so all
receive the same order, and an update that is kept is published, whether or not the response arrives. Updates and keys
expire by Redis's clock, because the clocks of servers differ.

After a restart Redis may have less than what was published (a snapshot, a truncated file): then numbers would be
assigned twice. So an epoch outlasts the Redis process only if Redis persists every command (`appendonly yes`), and
only if no server knows of an update that is missing. One Redis, not a cluster.
"""

from asf.adapters.redis_store.presence import Timing
from asf.adapters.redis_store.update_log.history import (
    COPIES_OF_CLIENT_ID,
    MAX_BYTES,
    MAX_CLIENTS,
    OVERHEAD_BYTES,
    PREFIX,
    Limits,
)
from asf.adapters.redis_store.update_log.log import RedisUpdateLog

__all__ = [
    "COPIES_OF_CLIENT_ID",
    "MAX_BYTES",
    "MAX_CLIENTS",
    "OVERHEAD_BYTES",
    "PREFIX",
    "Limits",
    "RedisUpdateLog",
    "Timing",
]
