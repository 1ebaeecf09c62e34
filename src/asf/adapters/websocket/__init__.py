"""WebSockets (RFC 6455) over raw connections, whichever runtime provides them.

Frames are received with wsproto. They are sent by `frames`, which renders a batch of audio once for all connections.
"""
