"""The command line: `asf serve`, and the tools to try a server with."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import IO, Any

import click

from asf import __version__

DEFAULT_URL = "http://127.0.0.1:5006"
EXIT_USAGE = 2


class ReadableErrors(click.Group):
    """Shows what clients and the operating system complain about as one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. What fails in a way that can be explained exits with 1."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            raise click.ClickException(str(error)) from error
        except Exception as error:
            # Imported no earlier: `serve` has to patch the standard library before networking is imported.
            from asf.client.errors import AsfClientError  # noqa: PLC0415

            if isinstance(error, AsfClientError):
                raise click.ClickException(str(error)) from error
            raise


@click.group(cls=ReadableErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="asf")
def main() -> None:
    """Audio Stream Feeder: podcast audio and progress events over WebSockets."""


url_option = click.option(
    "--url",
    envvar="ASF_URL",
    default=DEFAULT_URL,
    show_default=True,
    help="Address of the server (or ASF_URL).",
)


@main.command()
def serve() -> None:
    r"""Start the server.

    Settings come from the environment, and from .env in the working directory.

    \b
    Example:
      ASF_AUDIO_ROOTS=/srv/audio ASF_PORT=8080 asf serve
    """
    from asf.adapters.eventlet_runtime.patching import patch_standard_library  # noqa: PLC0415

    patch_standard_library()
    from asf.domain.errors import CatalogUnavailable  # noqa: PLC0415 - after patching
    from asf.entrypoints import server, settings  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    environment = settings.environment_with_dotenv(os.environ, Path(".env"))
    try:
        server.run(settings.read_settings(environment))
    except settings.SettingsError as error:
        click.echo("\n".join(error.problems), err=True)
        sys.exit(EXIT_USAGE)
    except CatalogUnavailable as error:
        raise click.ClickException(f"ASF_DATABASE: {error}") from error


@main.command()
@click.argument("stream_id")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--state",
    type=click.Choice(["generating", "complete", "failed"]),
    default="complete",
    show_default=True,
    help="Whether FILE is still being written.",
)
@url_option
def notify(stream_id: str, file: Path, state: str, url: str) -> None:
    r"""Announce FILE as the audio of STREAM_ID.

    The server reads the file itself: it must lie below one of its audio roots.

    \b
    Example:
      asf notify demo demo/welcome.mp3
      asf notify talk shared_audio/talk.mp3 --state generating
    """
    from asf.client import BackendClient  # noqa: PLC0415

    BackendClient(url).notify_new_audio(stream_id, str(file.absolute()), state)
    click.echo(f"Announced {stream_id}. Listen to it: asf listen {stream_id} -o out{file.suffix}")


@main.command()
@click.argument("stream_id")
@click.option("-o", "--output", type=click.File("wb"), help="Where the audio goes; - is standard output.")
@click.option("--wait", is_flag=True, help="Wait for a stream that is not announced yet.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds without a byte after which a lost connection is given up.",
)
@url_option
def listen(stream_id: str, output: IO[bytes] | None, wait: bool, patience: float, url: str) -> None:  # noqa: FBT001
    r"""Listen to STREAM_ID until its end. A connection that is lost is made again.

    \b
    Examples:
      asf listen demo -o out.mp3
      asf listen demo -o - | ffplay -
    """
    from tqdm import tqdm  # noqa: PLC0415

    from asf.client import StreamStart  # noqa: PLC0415
    from asf.client import listen as listen_to  # noqa: PLC0415

    with tqdm(unit="B", unit_scale=True, desc=stream_id, file=sys.stderr) as bar:

        def on_start(start: StreamStart) -> None:
            bar.reset(start.total_bytes)

        def write(chunk: bytes) -> None:
            if output is not None:
                output.write(chunk)
            bar.update(len(chunk))

        listen_to(url, stream_id, write, on_start, wait=wait, patience=patience)


@main.command()
@click.argument("client_id")
@click.argument("event")
@click.argument("data", metavar="JSON")
@url_option
def push(client_id: str, event: str, data: str, url: str) -> None:
    r"""Send a UI update, EVENT with JSON as its data, to whoever watches CLIENT_ID.

    \b
    Example:
      asf push alice generation_progress '{"percentage": 50}'
    """
    from asf.client import BackendClient  # noqa: PLC0415

    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise click.BadParameter(f"{error}. Text needs quotes of its own: '\"done\"'", param_hint="JSON") from error
    answer = BackendClient(url).send_ui_update(client_id, event, parsed)
    click.echo(f"Sent to {answer['subscribers']} subscriber(s) of {client_id}.")


@main.command()
@click.argument("client_id")
@click.option("--namespace", default="/ui_updates", show_default=True, help="The server's ASF_UI_UPDATES_NAMESPACE.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Stop after so many updates.")
@click.option("--history", is_flag=True, help="Begin with the updates that the server still keeps.")
@url_option
def watch(client_id: str, namespace: str, count: int | None, history: bool, url: str) -> None:  # noqa: FBT001
    r"""Print the UI updates of CLIENT_ID as they come, one line of JSON each.

    A connection that is lost is made again, and the updates of the time between follow.

    \b
    Example:
      asf watch alice
    """
    from asf.client import Missed, Subscribed  # noqa: PLC0415
    from asf.client import watch as watch_client  # noqa: PLC0415

    seen = 0
    for item in watch_client(url, client_id, namespace, history=history):
        match item:
            case Subscribed():
                click.echo(f"Watching {client_id} (Ctrl-C ends it)", err=True)
            case Missed():
                click.echo("Some updates were missed while the connection was lost", err=True)
            case _:
                line = {"event": item.event_name, "data": item.data, "seq": item.seq}
                click.echo(json.dumps(line, ensure_ascii=False))
                seen += 1
                if seen == count:
                    return
