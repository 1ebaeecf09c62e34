"""The faults that marked tests inject (see tests/support/ledger.py): each is a row of docs/reliability.md."""

import pytest

MOVING_NAME = pytest.mark.fault(
    "a Redis whose name moves to another address, while the resolver answers, is silent or late",
    "A new connection goes to the present address; a silent name server delays only those who connect.",
)
FAILOVER = pytest.mark.fault(
    "a failover of Redis behind an address: open connections lead to the replica",
    "One refusal closes all connections to it; reads, writes, pub/sub and queues continue on the new master.",
)
HANGING_DISK = pytest.mark.fault(
    "a file system that hangs, or takes 200 ms for each call (FUSE)",
    "Only listeners of its audio wait; the others receive every byte, and /asf/health answers.",
)
CHANGING_INODES = pytest.mark.fault(
    "a file system with another inode number at each lookup (FUSE)",
    "Growing and complete audio is received in full; the ETag is stable.",
)
DISK_ERRORS = pytest.mark.fault(
    "EIO and ESTALE from every call on an audio file",
    "That stream waits or fails; the others receive every byte; no descriptor is left open.",
)
BATCHES_OF_UPDATES = pytest.mark.fault(
    "batches of 1000 UI updates to a client with many connections",
    "Subscribers that read receive every update in order; nobody else waits.",
)
BURST_OF_MESSAGES = pytest.mark.fault(
    "thousands of small messages in one write, from one client",
    "They are handled in turns; the others receive every byte.",
)
CROWD = pytest.mark.fault(
    "thousands of listeners that wait for one announcement, or are connected at a shutdown",
    "They are started or ended in turns; the announcement is answered first.",
)
ENDLESS_SEEKS = pytest.mark.fault(
    "seeks without pause in a large object",
    "The last seek takes effect; the store is asked for few blocks; other listeners of objects receive every byte.",
)
HANGING_STORE = pytest.mark.fault(
    "an object store that accepts connections and never answers",
    "Commands of the connection are handled, announcements are answered, other streams are received.",
)
FAILING_STORE = pytest.mark.fault(
    "an object store that fails for a moment, or stays unreachable",
    "Requests are retried; what stays unreachable is a retryable error.",
)
KILLED_VOICE_AGENT = pytest.mark.fault(
    "a voice agent that is killed while it generates, or is only slow",
    "The stream fails once, for all listeners; a stream that grew is heard on.",
)
LATE_NEWS = pytest.mark.fault(
    "changes of a stream that arrive while it is looked up",
    "Nobody sees an older value after a newer one.",
)
SHARED_DATABASE = pytest.mark.fault(
    "a second server on the same database",
    "It does not start, and says why in one line.",
)
UNAVAILABLE_ADDRESS = pytest.mark.fault(
    "an address that is not available, or a port in use",
    "The server listens on the other addresses of the name, or names the setting.",
)
LOST_REDIS_OF_QUEUES = pytest.mark.fault(
    "Redis killed, hung or restarted under listeners of a queue",
    "Every listener receives every byte once.",
)
LOST_REDIS_OF_UPDATES = pytest.mark.fault(
    "Redis killed or hung while UI updates are published",
    "An update is delivered once, or its publisher receives an error.",
)
STOPPED_DEMO = pytest.mark.fault(
    "a server that stops while it generates a demo",
    "The demo has failed, at the shutdown or at the next start.",
)
LATE_SIZES = pytest.mark.fault(
    "a file system that shows the last bytes of audio late",
    "Listeners receive every byte, or an error; never an end of stream before the end.",
)
