"""Runs a check of a file system that may not answer: its calls cannot be cancelled, only abandoned."""

import threading
from collections.abc import Callable

from asf.application.diagnosis.finding import Finding, problem

ANSWER_SECONDS = 5.0
"""How long a check of one file system may take."""


def examine_in_time(subject: str, path: object, examine: Callable[[], Finding]) -> Finding:
    """Return what `examine` returns, or after `ANSWER_SECONDS` that the file system of `path` does not answer.

    It runs in a thread that may outlive the call, but not the process. Raises what `examine` raises.
    """
    findings: list[Finding] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            findings.append(examine())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if errors:
        raise errors[0]
    if findings:
        return findings[0]
    text = f"{path} does not answer within {ANSWER_SECONDS:g} s"
    return problem(subject, text, "Check the disk or the server that is mounted there (findmnt --target PATH).")
