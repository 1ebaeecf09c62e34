"""The latest UI updates of each client in Redis, which several servers share: implements the `UpdateLog` port.

The numbers are given by scripts, each of which Redis runs as one step: without gaps, over all servers. In the same
step an update is published to the servers that have subscribers of its client, also to that which appends it: one
order for all, and an update that is kept is on its way, whether or not the answer arrives. Updates and keys expire by
Redis's clock, as those of several servers differ.

After a restart Redis may have less than what was published (a snapshot, a file that was cut short): then numbers
would be given twice. So an epoch outlasts the process of Redis only if that persists what it does (`appendonly yes`),
and only if no server knows of an update that is missing. One Redis, not a cluster.
"""

from asf.adapters.redis_store.update_log.history import (
    COPIES_OF_CLIENT_ID,
    MAX_BYTES,
    MAX_CLIENTS,
    OVERHEAD_BYTES,
    PREFIX,
    Limits,
)
from asf.adapters.redis_store.update_log.log import RedisUpdateLog
from asf.adapters.redis_store.update_log.presence import Timing

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
