"""`asf health`."""

import os
from pathlib import Path

import click

from asf.application.diagnosis.finding import Severity
from asf.application.diagnosis.network import examine_server
from asf.entrypoints.cli.options import ServerUrl, examples, token_option
from asf.entrypoints.cli.output import printable, show
from asf.settings import SettingsError, environment_with_dotenv, read_setting, url_of


@click.command(epilog=examples("asf health", "asf health --ready --url http://10.0.0.5:5006"))
@click.option("--ready", is_flag=True, help="Check that it is ready to accept listeners.")
@click.option(
    "--url",
    envvar="ASF_URL",
    type=ServerUrl(),
    help="URL of the server (or ASF_URL).  [default: from ASF_HOST and ASF_PORT]",
)
@token_option
def health(ready: bool, url: str | None, token: str | None) -> None:  # noqa: FBT001
    """Check that a server is running (for container health checks).

    The exit code is 0 if it is, else 1. Without --url, the address is read from the server's settings, in the
    environment and in .env in the working directory. With --ready, the token lets the server say what is wrong.
    """
    finding = examine_server(url or _own_url(), ready=ready, token=token)
    if finding.severity is not Severity.OK:
        raise click.ClickException(f"{printable(finding.text)}\n{finding.remedy}")
    show(finding.text)


def _own_url() -> str:
    environment = environment_with_dotenv(os.environ, Path(".env"))
    try:
        host, port = read_setting(environment, "host"), read_setting(environment, "port")
    except SettingsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    if port == 0:
        raise click.UsageError("ASF_PORT is 0 (any free port). Pass the server's address with --url.")
    return url_of(host, port)
