"""One row of the table of settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asf.settings.parsing import InvalidValue


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is text, as in the environment; `allowed` is the range of a number.

    `meaning`, and `when_empty`, which says what an empty value means, are for the documents.
    """

    name: str
    parse: Callable[[str], Any]
    default: str
    meaning: str
    allowed: tuple[float, float] | None = None
    when_empty: str = ""
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return f"ASF_{self.name.upper()}"

    def read(self, text: str) -> Any:
        """Return the value of `text`. Raises `InvalidValue`."""
        if self.allowed is None:
            return self.parse(text)
        low, high = self.allowed
        between = f"between {low} and {high}"
        try:
            value = self.parse(text)
        except InvalidValue as error:
            raise InvalidValue(f"{error.rule} {between}") from error
        if not low <= value <= high:
            raise InvalidValue(f"must be {between}")
        return value
