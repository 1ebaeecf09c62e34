"""Options and argument types that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from asf.adapters.json_values import parse_json

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_URL = "http://127.0.0.1:5006"

RETRIES = 2
"""Retries per call; fewer than for services, because a person is waiting."""


class ServerUrl(click.ParamType[str]):
    """The URL of a server, without a slash at its end."""

    name = "URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URL without a slash at its end."""
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # The port is not a number.
            usable = False
        if not usable:
            self.fail(_problem_of(value), param, ctx)
        return value.rstrip("/")


class Json(click.ParamType[Any]):
    """Text that is JSON (RFC 8259)."""

    name = "JSON"
    advice = "Text must be in double quotes, for example '\"done\"'."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value."""
        try:
            return parse_json(value)
        except (ValueError, RecursionError) as error:
            reason = str(error).rstrip(".")
            self.fail(f"{reason}. {self.advice}", param, ctx)


class JsonObject(Json):
    """Text that is a JSON object."""

    name = "OBJECT"
    advice = 'Expected a JSON object, for example \'{"title": "News"}\''

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object."""
        converted = super().convert(value, param, ctx)
        if not isinstance(converted, dict):
            self.fail(self.advice, param, ctx)
        return converted


url_option = click.option(
    "--url",
    envvar="ASF_URL",
    type=ServerUrl(),
    default=DEFAULT_URL,
    show_default=True,
    help="URL of the server (or ASF_URL).",
)

token_option = click.option(
    "--token",
    envvar="ASF_INTERNAL_API_TOKEN",
    help="Bearer token of the internal API (or ASF_INTERNAL_API_TOKEN).",
)


access_token_option = click.option(
    "--token",
    envvar="ASF_TOKEN",
    help="Token of a listener or subscriber (or ASF_TOKEN); create one with asf token.",
)


def patience_option(progress: str) -> Callable[[Command], Command]:
    """Return the option for how many seconds a command reconnects without `progress`, a word or two for its help."""
    return click.option(
        "--patience",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        help=f"Seconds without {progress} after which to stop reconnecting.",
    )


def examples(*commands: str) -> str:
    """Return the end of a command's help: one example per line."""
    lines = ["Examples:" if len(commands) > 1 else "Example:", *(f"  {command}" for command in commands)]
    return "\b\n" + "\n".join(lines)  # \b keeps click from joining the lines.


def elsewhere(url: str) -> str:
    """Return the option that makes another command use the same server; empty for the default."""
    return "" if url == DEFAULT_URL else f" --url {url}"


def _problem_of(url: str) -> str:
    if "://" in url:
        return f"Invalid URL '{url}'. Use a URL such as {DEFAULT_URL}."
    return f"Invalid URL '{url}'. Include the scheme: http://{url or 'localhost:5006'}"
