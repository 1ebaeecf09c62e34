"""Several workers as one server: the memory that they share, and which of them a connection is for.

A worker is a process that serves. It has a slot, a small number that no other live worker has, and a generation,
which no worker before it had.
"""
