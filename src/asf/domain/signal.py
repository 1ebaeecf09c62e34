"""Hooks: a component notifies others without depending on them."""

from collections.abc import Callable
from typing import Generic, TypeVarTuple

Args = TypeVarTuple("Args")


class Signal(Generic[*Args]):
    """A hook that a component offers, with any number of connected callbacks.

    The component calls the signal, which calls each callback with the same arguments, in the order in which they were
    connected. An exception that a callback raises propagates to the caller; the callbacks after it are not called.
    """

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: tuple[Callable[[*Args], object], ...] = ()

    def connect(self, callback: Callable[[*Args], object]) -> None:
        """Call `callback` from now on, after those that are already connected. It cannot be disconnected."""
        self._callbacks = (*self._callbacks, callback)

    def __call__(self, *args: *Args) -> None:
        """Call the connected callbacks. One that connects another does not change the current call."""
        for callback in self._callbacks:
            callback(*args)
