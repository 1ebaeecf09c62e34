"""What `make run` sets for the server that it starts."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.bounds import COMMAND_SECONDS

ROOT = Path(__file__).parents[2]

SERVER = """#!/bin/sh
echo "${ASF_HOST-unset} ${ASF_AUDIO_ROOTS-unset}"
"""


@pytest.mark.programs
@pytest.mark.parametrize(
    ("environment", "dotenv", "host", "roots"),
    [
        ({}, "", "127.0.0.1", "./shared_audio:./demo"),
        ({"ASF_HOST": "0.0.0.0"}, "", "0.0.0.0", "./shared_audio:./demo"),  # noqa: S104
        ({}, "ASF_HOST=0.0.0.0\n", "unset", "./shared_audio:./demo"),
        ({}, "ASF_PORT=1\n export ASF_HOST = ::\n", "unset", "./shared_audio:./demo"),
        ({}, "# ASF_HOST=0.0.0.0\nASF_AUDIO_ROOTS=/srv\n", "127.0.0.1", "unset"),
        ({"ASF_AUDIO_ROOTS": "/srv"}, "", "127.0.0.1", "/srv"),
    ],
)
def test_make_run_serves_this_machine_unless_told(
    tmp_path: Path, environment: dict[str, str], dotenv: str, host: str, roots: str
) -> None:
    """By the environment, or by .env, which the server reads itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ASF_", "MAKE", "MFLAGS"))}
    recipe = subprocess.run(
        ["make", "-n", "run", "VENV=.venv"],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    ).stdout
    (tmp_path / ".env").write_text(dotenv)
    server = tmp_path / ".venv" / "bin" / "asf"
    server.parent.mkdir(parents=True)
    server.write_text(SERVER)
    server.chmod(0o755)
    started = subprocess.run(
        ["sh", "-c", recipe[recipe.index("in_dotenv() {") :]],
        cwd=tmp_path,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    assert started.stdout == f"{host} {roots}\n"
