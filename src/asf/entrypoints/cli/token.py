"""`asf token`."""

import os
import re
import time
from pathlib import Path

import click

from asf.entrypoints.cli.options import examples
from asf.entrypoints.cli.output import show

SECONDS_OF_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_DAYS = 3650


class Duration(click.ParamType[int]):
    """A duration such as 90s, 15m, 1h or 7d, in seconds: from one second to ten years."""

    name = "DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
        seconds = int(found[1]) * SECONDS_OF_UNITS[found[2]] if found else 0
        if not 1 <= seconds <= MAX_DAYS * SECONDS_OF_UNITS["d"]:
            self.fail(
                f"Invalid duration '{value}'. Use 90s, 15m, 1h or 7d, for example; at most {MAX_DAYS}d.", param, ctx
            )
        return seconds


@click.command(
    epilog=examples(
        "asf token alice --stream demo --client alice --expires 1h",
        "ASF_TOKEN=$(asf token alice --stream '*') asf listen demo -o out.mp3",
    )
)
@click.argument("subject")
@click.option("--stream", "streams", metavar="ID", multiple=True, help="Stream that the token may join; * for all.")
@click.option("--client", "clients", metavar="ID", multiple=True, help="Client that the token may watch; * for all.")
@click.option(
    "--expires", "seconds", type=Duration(), default="1h", show_default=True, help="How long the token is valid."
)
def token(subject: str, streams: tuple[str, ...], clients: tuple[str, ...], seconds: int) -> None:
    """Create a token for SUBJECT, for servers with ASF_REQUIRE_TOKENS.

    It is signed with the server's ASF_SECRET_KEY, read from the environment or from .env in the working directory.
    --stream and --client can be repeated. Sessions end when their token expires.
    """
    # Imported here: the help needs none of it.
    from asf.adapters.jwt_tokens import JwtTokens  # noqa: PLC0415
    from asf.domain.access.grant import Grant  # noqa: PLC0415
    from asf.settings import (  # noqa: PLC0415
        MIN_CHARACTERS,
        environment_with_dotenv,
    )

    if not subject:
        raise click.UsageError("SUBJECT is empty. Name the user that the token is for.")
    if not all((*streams, *clients)) or not (streams or clients):
        raise click.UsageError("The token would grant nothing. Add --stream or --client.")
    key = environment_with_dotenv(os.environ, Path(".env")).get("ASF_SECRET_KEY", "")
    if len(key) < MIN_CHARACTERS:
        problem = f"has only {len(key)} characters" if key else "is not set"
        raise click.UsageError(
            f"ASF_SECRET_KEY {problem}. Use the server's key ({MIN_CHARACTERS} characters or more)."
        )
    grant = Grant(subject, int(time.time()) + seconds, frozenset(streams), frozenset(clients))
    show(JwtTokens(key).mint(grant))
