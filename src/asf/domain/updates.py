"""UI updates: a backend's progress events, relayed to the one client that waits for them."""

from dataclasses import dataclass
from typing import Any

from asf.domain.errors import InvalidClientId, InvalidEventName
from asf.domain.rules import client_id_problem, event_name_problem


@dataclass(frozen=True, slots=True)
class UiUpdate:
    """One event for one client. `data` is any JSON value, null included.

    Raises `InvalidClientId` or `InvalidEventName`.
    """

    client_id: str
    event_name: str
    data: Any

    def __post_init__(self) -> None:
        if problem := client_id_problem(self.client_id):
            raise InvalidClientId(problem)
        if problem := event_name_problem(self.event_name):
            raise InvalidEventName(problem)
