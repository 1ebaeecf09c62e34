"""Everything that depends on eventlet: green threads, the WSGI server and the way of bytes to a socket.

`asf.adapters.eventlet_runtime.patching` must run before anything else that uses sockets or threads is imported;
this package therefore imports nothing by itself.
"""
