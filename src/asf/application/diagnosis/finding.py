"""What a check returns."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    """The server works, but perhaps not as intended."""
    PROBLEM = "problem"
    """The server does not start, or a part of it does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one subject, with a remedy unless it is OK."""

    subject: str
    severity: Severity
    text: str
    remedy: str = ""


def problem(subject: str, text: str, remedy: str) -> Finding:
    """Return a finding of the severity `PROBLEM`."""
    return Finding(subject, Severity.PROBLEM, text, remedy)
