"""The parts of the dependency container, by room.

Each class extends the one before, and `asf.entrypoints.container.Container` extends the last: all are one container.
"""
