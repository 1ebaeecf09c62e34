"""Options and kinds of arguments that several commands have."""

from typing import Any
from urllib.parse import urlsplit

import click

from asf.adapters.json_values import parse_json

DEFAULT_URL = "http://127.0.0.1:5006"

RETRIES = 2
"""How often a call is tried again: less than services do, as a person waits for it."""


class ServerUrl(click.ParamType[str]):
    """The address of a server. A slash at its end does not count."""

    name = "URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URL without a slash at its end."""
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # no number as its port
            usable = False
        if not usable:
            self.fail(f"'{value}' is no address such as {DEFAULT_URL}.", param, ctx)
        return value.rstrip("/")


class Json(click.ParamType[Any]):
    """Text that is JSON (RFC 8259)."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value that the text stands for."""
        try:
            return parse_json(value)
        except (ValueError, RecursionError) as error:
            reason = str(error).rstrip(".")
            self.fail(f"{reason}. Text must be in double quotes, for example '\"done\"'.", param, ctx)


class JsonObject(Json):
    """Text that is a JSON object."""

    name = "OBJECT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object that the text stands for."""
        converted = super().convert(value, param, ctx)
        if not isinstance(converted, dict):
            self.fail('It is no JSON object, such as \'{"title": "News"}\'', param, ctx)
        return converted


url_option = click.option(
    "--url",
    envvar="ASF_URL",
    type=ServerUrl(),
    default=DEFAULT_URL,
    show_default=True,
    help="Address of the server (or ASF_URL).",
)

token_option = click.option(
    "--token",
    envvar="ASF_INTERNAL_API_TOKEN",
    help="Bearer token of the internal API (or ASF_INTERNAL_API_TOKEN).",
)


access_token_option = click.option(
    "--token",
    envvar="ASF_TOKEN",
    help="Token that the server may want (or ASF_TOKEN); asf token makes one.",
)


def examples(*commands: str) -> str:
    """Return the end of a command's help: examples, one on each line."""
    lines = ["Examples:" if len(commands) > 1 else "Example:", *(f"  {command}" for command in commands)]
    return "\b\n" + "\n".join(lines)  # \b keeps click from joining the lines.


def elsewhere(url: str) -> str:
    """Return what a command has to be told to reach the same server: nothing, or the option."""
    return "" if url == DEFAULT_URL else f" --url {url}"
