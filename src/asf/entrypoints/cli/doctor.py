"""`asf doctor`."""

import os
from pathlib import Path

import click

from asf.application.diagnosis.examination import examine
from asf.application.diagnosis.finding import Severity
from asf.entrypoints.cli.options import examples
from asf.entrypoints.cli.output import printable, show
from asf.settings import environment_with_dotenv

COLOURS = {Severity.OK: "green", Severity.ADVICE: "yellow", Severity.PROBLEM: "red"}


@click.command(epilog=examples("asf doctor"))
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check this machine's setup and suggest fixes.

    Checks the settings, the audio roots, the catalog, the object stores, the port and the limit of open files, for a
    server that is started in this directory. The exit code is 1 if there is a problem.
    """
    problems = 0
    dotenv_path = Path(".env")
    for finding in examine(environment_with_dotenv(os.environ, dotenv_path), dotenv_path):
        label = click.style(f"{finding.severity:8}", fg=COLOURS[finding.severity])
        show(f" {finding.subject}: {printable(finding.text)}", label=label)
        if finding.remedy:
            show(f"{'':8} → {finding.remedy}")
        problems += finding.severity is Severity.PROBLEM
    if problems:
        ctx.exit(1)
