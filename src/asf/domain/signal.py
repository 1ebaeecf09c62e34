"""Hooks: how a part tells others of something without knowing them."""

from collections.abc import Callable
from typing import Generic, TypeVarTuple

Args = TypeVarTuple("Args")


class Signal(Generic[*Args]):
    """A hook that a part offers, with the callbacks that are connected to it: none, one or several.

    The part calls the signal; that calls each callback with the same arguments, in the order in which they were
    connected. An exception that a callback raises goes to the caller, and the callbacks after it are not called.
    """

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: tuple[Callable[[*Args], object], ...] = ()

    def connect(self, callback: Callable[[*Args], object]) -> None:
        """Call `callback` from now on, after those that are connected already. There is no way to disconnect."""
        self._callbacks = (*self._callbacks, callback)

    def __call__(self, *args: *Args) -> None:
        """Call what is connected. A callback that connects another one does not change the current call."""
        for callback in self._callbacks:
            callback(*args)
