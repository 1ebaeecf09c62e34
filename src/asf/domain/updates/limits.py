"""Limits of UI updates, for each connection."""

MAX_SUBSCRIPTIONS = 100
"""Most clients that one connection can subscribe to."""

MAX_WAITING_UPDATES = 1000
MAX_WAITING_BYTES = 1024 * 1024
"""Most updates that wait for a connection that does not read them, and most bytes of them. With more, the connection
is broken off; its client reconnects and recovers with `since`. They hold for its send queue, and for what a
subscription holds back during a replay."""
