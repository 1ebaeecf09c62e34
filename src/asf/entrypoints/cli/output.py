"""Output of the commands. What comes from a server, or from a client through it, cannot control the terminal."""

import json
import re
from typing import Any

import click

NOT_ASCII = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    """Return `text` with escape sequences instead of characters that a terminal could interpret."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def printable_lines(text: str) -> str:
    """Return `text` as `printable` does, with its line ends."""
    return "\n".join(map(printable, text.split("\n")))


def json_line(value: Any) -> str:
    """Return `value` as one line of JSON, in which only printable characters are not escaped."""
    return NOT_ASCII.sub(_printable_in_json, json.dumps(value, ensure_ascii=False))


def show(text: str, *, label: str = "", err: bool = False) -> None:
    """Print lines to standard output, or to standard error with `err`; `label`, which may be styled, comes first."""
    click.echo(label + printable_lines(text), err=err)


def _printable_in_json(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]
