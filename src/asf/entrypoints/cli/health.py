"""`asf health`."""

import os
from pathlib import Path

import click

from asf.application.diagnosis import Severity, examine_server
from asf.entrypoints.cli.options import ServerUrl, examples
from asf.settings import SettingsError, environment_with_dotenv, read_settings, url_of


@click.command(epilog=examples("asf health", "asf health --ready --url http://10.0.0.5:5006"))
@click.option("--ready", is_flag=True, help="Ask whether it takes listeners, rather than whether it lives.")
@click.option(
    "--url",
    envvar="ASF_URL",
    type=ServerUrl(),
    help="Address of the server (or ASF_URL).  [default: that of ASF_HOST and ASF_PORT]",
)
def health(ready: bool, url: str | None) -> None:  # noqa: FBT001
    """Ask a running server whether it lives, as supervisors of containers do.

    The exit code is 0 when it does, else 1. Where the server listens is read from its settings, in the environment
    and in .env in the working directory, unless --url says it.
    """
    finding = examine_server(url or _own_url(), ready=ready)
    if finding.severity is not Severity.OK:
        raise click.ClickException(f"{finding.text}\n{finding.remedy}")
    click.echo(finding.text)


def _own_url() -> str:
    try:
        settings = read_settings(environment_with_dotenv(os.environ, Path(".env")))
    except SettingsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    if settings.port == 0:
        raise click.UsageError("ASF_PORT is 0, which may be any: say with --url where the server is.")
    return url_of(settings.host, settings.port)
