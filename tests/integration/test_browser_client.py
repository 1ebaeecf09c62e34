"""A running server serves the browser client."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import asf
from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS
from tests.support.fixtures import StartServer
from tests.support.processes import ServerProcess
from tests.support.secret_values import SECRET_KEY

NOTICE = Path(__file__).parents[2] / "NOTICE"
PRODUCTION = {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}


@pytest.fixture(autouse=True)
def built_client() -> None:
    """Require the built browser client."""
    if not (Path(asf.__file__).parent / "console" / "static" / "asf-client" / "asf-player.js").is_file():
        missing("the browser client", "install Node.js with npm, then run make client")


def modules_of(server: ServerProcess, name: str) -> Iterator[requests.Response]:
    """Yield the responses for a module and for those that it imports."""
    response = requests.get(f"{server.url}/asf/client/{name}", timeout=PATIENCE_SECONDS)
    yield response
    for imported in re.findall(r'from"\./([^"]+)"', response.text):
        yield from modules_of(server, imported)


@pytest.mark.parametrize("settings", [{}, PRODUCTION], ids=["debug", "production"])
@pytest.mark.parametrize("name", ["asf-client.js", "asf-player.js"])
def test_the_client_is_served(start_server: StartServer, settings: dict[str, str], name: str) -> None:
    """With all that it imports, compressed, to pages of any origin."""
    responses = list(modules_of(start_server(settings), name))
    assert len(responses) > 1
    for response in responses:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_the_licenses_of_its_libraries_come_with_it(server: ServerProcess) -> None:
    """All that NOTICE names are there, and the GPL, which the LGPL adds to."""
    response = requests.get(f"{server.url}/asf/client/licenses.txt", timeout=PATIENCE_SECONDS)
    section = NOTICE.read_text().split("The reference page")[0]
    libraries = re.findall(r"^  (\S+) +([\w.-]+) +https:", section, re.MULTILINE)
    assert len(libraries) > 5
    for name, license_id in libraries:
        assert re.search(rf"^{name} \S+ \({license_id}\)$", response.text, re.MULTILINE), name
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in response.text
    assert "GNU GENERAL PUBLIC LICENSE" in response.text


def test_a_setting_turns_it_off(start_server: StartServer) -> None:
    """In debug mode the console still has its own."""
    server = start_server({"ASF_SERVE_CLIENT": "False"})
    response = requests.get(f"{server.url}/asf/client/asf-player.js", timeout=PATIENCE_SECONDS)
    assert (response.status_code, response.json()["error_code"]) == (404, "ASF_NOT_FOUND")
    own = requests.get(f"{server.url}/console/static/asf-client/asf-player.js", timeout=PATIENCE_SECONDS)
    assert own.status_code == 200
