"""`asf token`."""

import os
import re
import time
from pathlib import Path

import click

from asf.entrypoints.cli.options import examples

SECONDS_OF_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_DAYS = 3650


class Duration(click.ParamType[int]):
    """A time such as 90s, 15m, 1h or 7d, in seconds: from one second to ten years."""

    name = "DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
        seconds = int(found[1]) * SECONDS_OF_UNITS[found[2]] if found else 0
        if not 1 <= seconds <= MAX_DAYS * SECONDS_OF_UNITS["d"]:
            self.fail(f"'{value}' is no time such as 90s, 15m, 1h or 7d, of at most {MAX_DAYS}d.", param, ctx)
        return seconds


@click.command(
    epilog=examples(
        "asf token alice --stream demo --client alice --expires 1h",
        "ASF_TOKEN=$(asf token alice --stream '*') asf listen demo -o out.mp3",
    )
)
@click.argument("subject")
@click.option("--stream", "streams", metavar="ID", multiple=True, help="Stream that may be joined; * for all.")
@click.option("--client", "clients", metavar="ID", multiple=True, help="Client that may be watched; * for all.")
@click.option("--expires", "seconds", type=Duration(), default="1h", show_default=True, help="How long it is valid.")
def token(subject: str, streams: tuple[str, ...], clients: tuple[str, ...], seconds: int) -> None:
    """Make a token for SUBJECT, for servers with ASF_REQUIRE_TOKENS.

    It is signed with ASF_SECRET_KEY, from the environment or from .env in the working directory, which must be that
    of the server. --stream and --client may be given several times. When the token expires, what it has opened ends.
    """
    # Imported where it is needed: the help needs none of it.
    from asf.adapters.jwt_tokens import JwtTokens  # noqa: PLC0415
    from asf.domain.access.grant import Grant  # noqa: PLC0415
    from asf.settings import (  # noqa: PLC0415
        MIN_SECRET_KEY_CHARACTERS,
        environment_with_dotenv,
    )

    if not subject:
        raise click.UsageError("SUBJECT is empty: it says whom the token is for.")
    if not all((*streams, *clients)) or not (streams or clients):
        raise click.UsageError("The token would grant nothing: name a --stream or a --client.")
    key = environment_with_dotenv(os.environ, Path(".env")).get("ASF_SECRET_KEY", "")
    if len(key) < MIN_SECRET_KEY_CHARACTERS:
        raise click.UsageError(
            f"ASF_SECRET_KEY has {len(key)} characters, and {MIN_SECRET_KEY_CHARACTERS} or more are needed. "
            "Set it to that of the server, in the environment or in .env."
        )
    grant = Grant(subject, int(time.time()) + seconds, frozenset(streams), frozenset(clients))
    click.echo(JwtTokens(key).mint(grant))
