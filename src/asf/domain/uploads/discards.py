"""Deletes uploaded audio that no stream has any more."""

import logging
from collections.abc import Callable
from functools import partial

from asf.domain.errors import UploadUnavailable
from asf.domain.streams.stream import Locator
from asf.domain.uploads.ports import UploadSpool

SHARED_SECONDS = 10.0
"""How much later audio is deleted that other servers may have open: they hear of the change by then."""

logger = logging.getLogger(__name__)


class Discards:
    """Deletes audio, each in a task of its own (`spawn`): at once, or later if it `is_shared` with other servers.

    `pause` suspends the calling task for the seconds it is passed.
    """

    def __init__(
        self,
        spool: UploadSpool,
        spawn: Callable[[Callable[[], object]], object],
        pause: Callable[[float], object],
        *,
        is_shared: bool,
    ) -> None:
        self._spool = spool
        self._spawn = spawn
        self._pause = pause
        self._is_shared = is_shared

    def discard(self, locator: Locator) -> None:
        """Delete the audio at `locator` soon. Raises nothing: what is left is swept up later."""
        self._spawn(partial(self._delete, locator))

    def _delete(self, locator: Locator) -> None:
        if self._is_shared:
            self._pause(SHARED_SECONDS)
        try:
            self._spool.delete(locator)
        except UploadUnavailable as error:
            logger.warning("Uploaded audio cannot be deleted now: %s", error.details)
