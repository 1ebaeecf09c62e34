"""Everything that depends on eventlet: green threads, worker threads, timers, sockets and the HTTP server.

`asf.adapters.eventlet_runtime.patching` must run before anything else that uses sockets or threads is imported;
this package therefore imports nothing by itself.
"""
