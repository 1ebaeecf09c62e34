"""The command line: `asf serve`, and tools for using a server. One module for each command."""

import errno
import importlib
import sys
from io import TextIOWrapper
from typing import Any, cast

import click

from asf import __version__
from asf.entrypoints.cli.options import examples
from asf.entrypoints.cli.output import printable, printable_lines, show
from asf.entrypoints.cli.termination import Terminated

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
"""The shells' convention: 128 and the number of the signal, SIGINT or SIGTERM."""

COMMANDS = (
    "serve",
    "doctor",
    "health",
    "demo",
    "notify",
    "upload",
    "listen",
    "push",
    "watch",
    "streams",
    "status",
    "token",
)

LISTENING = {"listen": "--stream", "watch": "--client"}
"""Commands that send the token of a listener or subscriber, with the option of `asf token` that grants their access.
The other commands send the token of the internal API."""


class CommandLine(click.Group):
    """Imports a command when it is needed, and reports expected errors without a traceback.

    `serve` must patch the standard library before any networking module is imported.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Return the command: the function in the module of the same name."""
        if name not in COMMANDS:
            return None
        return cast("click.Command", getattr(importlib.import_module(f"{__name__}.{name}"), name))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Exits with 1 after an expected error, 130 after an interrupt, and 143 after SIGTERM."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            show("Interrupted.", err=True)
            ctx.exit(EXIT_TERMINATED if isinstance(interrupt, Terminated) else EXIT_INTERRUPTED)
        except click.ClickException as error:
            vars(error)["message"] = printable_lines(error.message)
            raise
        except UnicodeError as error:
            raise click.ClickException(f"The input is not valid text: {printable(str(error))}") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # The reader has closed the pipe. click exits silently, with 1.
                raise
            raise click.ClickException(printable(_describe(error))) from error
        except Exception as error:
            # Imported late, for `serve`.
            from asf.client.errors import AsfClientError, RequestRejected, ServerUnreachable  # noqa: PLC0415

            said = printable(str(error))  # by the server
            if isinstance(error, ServerUnreachable):
                hint = "Is the server running (asf serve)? Is the address right (--url)?"
                raise click.ClickException(f"{said}\n{hint}") from error
            if isinstance(error, RequestRejected) and error.error_code == "ASF_UNAUTHORIZED":
                raise click.ClickException(f"{said}\n{_token_hint(ctx)}") from error
            if isinstance(error, AsfClientError):
                raise click.ClickException(said) from error
            raise


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("asf serve", "asf demo")
    + "\n\nExit codes: 0 done, 1 failed, 2 invalid usage or settings, 130 interrupted.",
)
@click.version_option(__version__, prog_name="asf")
def main() -> None:
    """Audio Stream Feeder: podcast audio and progress events over WebSockets."""
    if isinstance(sys.stdout, TextIOWrapper):  # A terminal's character set may lack some characters.
        sys.stdout.reconfigure(errors="backslashreplace")


def _token_hint(ctx: click.Context) -> str:
    """Return where the missing token comes from."""
    if ctx.invoked_subcommand in LISTENING:
        option = LISTENING[ctx.invoked_subcommand]
        return (
            f"Pass a token with --token. To create one: asf token NAME {option} ID, with the server's ASF_SECRET_KEY."
        )
    return "Pass the server's ASF_INTERNAL_API_TOKEN with --token, or set that variable."


def _describe(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"
