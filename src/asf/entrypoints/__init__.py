"""Entry points: the container, server start and shutdown, and the command line."""
