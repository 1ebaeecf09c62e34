"""The supervisor of several workers: `asf serve` becomes it when ASF_WORKERS is more than 1.

It starts the workers, restarts those that end, drains them on SIGTERM, replaces them on SIGHUP, and does nothing
else. It imports neither eventlet nor Flask.
"""
