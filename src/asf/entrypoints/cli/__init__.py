"""The command line: `asf serve`, and the tools to try a server with. One module for each command."""

import errno
import importlib
import sys
from io import TextIOWrapper
from typing import Any, cast

import click

from asf import __version__
from asf.entrypoints.cli.options import examples

EXIT_INTERRUPTED = 130
"""As shells have it: 128 and the number of SIGINT."""

COMMANDS = ("serve", "doctor", "health", "demo", "notify", "listen", "push", "watch", "streams", "token")

LISTENING = {"listen": "--stream", "watch": "--client"}
"""Commands that bring the token of a listener or a subscriber, and the option of `asf token` that makes one for them.
The other commands bring that of the internal API."""


class CommandLine(click.Group):
    """Imports a command when it is asked for, and shows what can be explained as one line, without a traceback.

    `serve` has to patch the standard library before anything of networking is imported.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of a first visit."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of that name, which is a function in a module of the same name."""
        if name not in COMMANDS:
            return None
        return cast(click.Command, getattr(importlib.import_module(f"{__name__}.{name}"), name))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. What fails in a way that can be explained exits with 1, an interrupt with 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except UnicodeError as error:
            raise click.ClickException(f"What was given is no text: {error}") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # The reader has enough. click ends without a word, and with 1.
                raise
            raise click.ClickException(_describe(error)) from error
        except Exception as error:
            # Imported no earlier, for the sake of `serve`.
            from asf.client.errors import AsfClientError, RequestRefused, ServerUnreachable  # noqa: PLC0415

            if isinstance(error, ServerUnreachable):
                hint = "Is the server running (asf serve), and is this its address (--url)?"
                raise click.ClickException(f"{error}\n{hint}") from error
            if isinstance(error, RequestRefused) and error.error_code == "ASF_UNAUTHORIZED":
                raise click.ClickException(f"{error}\n{_token_hint(ctx)}") from error
            if isinstance(error, AsfClientError):
                raise click.ClickException(str(error)) from error
            raise


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("asf serve", "asf demo")
    + "\n\nExit codes: 0 done, 1 failed, 2 wrong usage or settings, 130 interrupted.",
)
@click.version_option(__version__, prog_name="asf")
def main() -> None:
    """Audio Stream Feeder: podcast audio and progress events over WebSockets."""
    if isinstance(sys.stdout, TextIOWrapper):  # A terminal of another character set is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")


def _token_hint(ctx: click.Context) -> str:
    """Return where the token comes from that the command was refused for."""
    if ctx.invoked_subcommand in LISTENING:
        option = LISTENING[ctx.invoked_subcommand]
        return f"Mint one with asf token NAME {option} ID, where the server's ASF_SECRET_KEY is, and pass --token."
    return "Pass the server's ASF_INTERNAL_API_TOKEN with --token, or set that variable here."


def _describe(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"
