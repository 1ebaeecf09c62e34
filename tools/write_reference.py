"""Writes docs/reference.md, the settings and the error codes, and .env.example, from the code.

Usage: python tools/write_reference.py
"""

from collections.abc import Iterator
from pathlib import Path

from asf.adapters.http_api.errors import HTTP_STATUSES
from asf.adapters.realtime_api.payloads import PayloadError
from asf.adapters.realtime_api.plain_websocket import close_code_of
from asf.domain.errors import AsfError, AudioChanged, CatalogUnavailable, InternalError, StreamError, Unauthorized
from asf.settings import SETTINGS, Setting

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference.md"
EXAMPLE = ROOT / ".env.example"

REFERENCE_TEXT = """# Reference

Generated from the code by `make docs`.

## Settings

Settings are environment variables, or lines of a file `.env` in the working directory.
An empty value of a list is an empty list; the audio roots need at least one item. An empty text is as the table says.
An empty number or switch is an error.

{settings}

## Error codes

A code has the same meaning everywhere. `retryable` is the field of `stream_error`; the close code is that of the
plain WebSocket.

{errors}
"""

EXAMPLE_TEXT = """# Settings of ASF and their defaults. Copy the lines that you change to .env, in the directory where
# ASF starts. Environment variables take precedence over .env.
# Generated from the code by `make docs`.

{settings}
"""

WHEN: dict[type[AsfError], str] = {AudioChanged: "the audio has changed"}
"""When an error that has its base's code, and is not retryable as that is, occurs."""


def reference() -> str:
    """Return the reference."""
    return REFERENCE_TEXT.format(settings=_settings_table(), errors=_errors_table())


def example() -> str:
    """Return the example of a .env file."""
    lines: list[str] = []
    for setting in SETTINGS:
        allowed = f" Allowed: {_range_of(setting)}." if setting.allowed else ""
        lines += [f"# {setting.meaning}{allowed}", f"{setting.variable}={setting.default}"]
    return EXAMPLE_TEXT.format(settings="\n".join(lines))


def _range_of(setting: Setting) -> str:
    return "" if setting.allowed is None else f"{setting.allowed[0]} to {setting.allowed[1]}"


def _settings_table() -> str:
    lines = ["| name | default | allowed | meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else setting.when_empty
        lines.append(f"| `{setting.variable}` | {default} | {_range_of(setting)} | {setting.meaning} |")
    return "\n".join(lines)


def _errors_table() -> str:
    lines = ["| code | message | meaning | HTTP | close | retryable |", "|---|---|---|---|---|---|"]
    errors: list[type[AsfError]] = [InternalError, *_errors(AsfError)]
    for error in sorted(errors, key=lambda one: one.error_code):
        meaning = " ".join((error.__doc__ or "").split("\n\n")[0].split())
        status = HTTP_STATUSES.get(error)
        closes = issubclass(error, StreamError | PayloadError | CatalogUnavailable | InternalError | Unauthorized)
        lines.append(
            f"| `{error.error_code}` | {error.message} | {meaning} | {status.value if status else ''} "
            f"| {close_code_of(error()) if closes else ''} | {_retryable(error)} |"
        )
    return "\n".join(lines)


def _retryable(error: type[AsfError]) -> str:
    """Return whether to retry, with the exceptions among the errors that share the code."""
    unlike = [below for below in error.__subclasses__() if below.retryable != error.retryable]
    exceptions = "".join(f", unless {WHEN[below]}" for below in unlike if "error_code" not in vars(below))
    return f"yes{exceptions}" if error.retryable else ""


def _errors(kind: type[AsfError]) -> Iterator[type[AsfError]]:
    """Yield the errors with a code of their own."""
    for below in kind.__subclasses__():
        if "error_code" in vars(below):
            yield below
        yield from _errors(below)


def main() -> None:
    """Write both files."""
    REFERENCE.write_text(reference())
    EXAMPLE.write_text(example())


if __name__ == "__main__":
    main()
