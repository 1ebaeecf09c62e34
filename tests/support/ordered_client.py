"""python-socketio's simple client, which takes one message after the other."""

from collections.abc import Callable
from functools import partial
from typing import Any

import socketio


class InOrder(socketio.Client):  # type: ignore[misc]
    """Handles one message after the other. By default each has a thread, and parts of binary events mix."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        start = self.eio.start_background_task

        def start_or_run(target: Callable[..., object], *more: Any, **named: Any) -> Any:
            return (target if target == self._handle_eio_message else partial(start, target))(*more, **named)

        self.eio.start_background_task = start_or_run


class OrderedClient(socketio.SimpleClient):  # type: ignore[misc]
    """A client for audio: over long polling, the library's own mixes up the parts of binary events."""

    client_class = InOrder
