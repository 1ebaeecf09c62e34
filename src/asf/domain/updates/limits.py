"""Limits of UI updates, for each connection."""

MAX_SUBSCRIPTIONS = 100
"""Maximum number of clients that one connection can subscribe to."""

MAX_WAITING_UPDATES = 1000
MAX_WAITING_BYTES = 1024 * 1024
"""Maximum number and bytes of updates that wait for one connection. Above either limit the connection is closed; its
client reconnects and recovers with `since`. Both apply to the send queue of a connection that does not read, and to
the updates that a subscription holds during a replay."""

FILLING_UPDATES = MAX_WAITING_UPDATES // 2
FILLING_BYTES = MAX_WAITING_BYTES // 2
"""Number and bytes from which on a publisher of many updates waits until the client has read some."""
