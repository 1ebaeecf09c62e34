"""The timeouts of the proxies in deploy/ suit the defaults of the settings."""

import re
from pathlib import Path

import pytest

from asf.settings import read_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = read_settings({})


def timeouts_of(file: str, name: str) -> list[float]:
    """Return the values of a timeout in a file of deploy/, in seconds."""
    values = re.findall(rf"^ *{name} (\d+)s;?$", (DEPLOY / file).read_text(), re.MULTILINE)
    assert values
    return [float(value) for value in values]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("nginx.conf", "send_timeout"),
        ("nginx-path.conf", "send_timeout"),
        ("haproxy.cfg", "timeout client"),
        ("haproxy-path.cfg", "timeout client"),
    ],
)
def test_players_may_pause(file: str, name: str) -> None:
    """As long as they may without a proxy. The value for streams is the longest one."""
    assert max(timeouts_of(file, name)) > SETTINGS.http_pause_seconds


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("nginx.conf", "proxy_read_timeout"),
        ("nginx-path.conf", "proxy_read_timeout"),
        ("haproxy.cfg", "timeout server"),
        ("haproxy-path.cfg", "timeout server"),
    ],
)
def test_streams_may_stall(file: str, name: str) -> None:
    """Until the server gives them up."""
    assert min(timeouts_of(file, name)) > SETTINGS.stall_give_up_seconds


@pytest.mark.parametrize("file", ["nginx.conf", "nginx-path.conf"])
def test_idle_connections_are_closed_by_the_proxy(file: str) -> None:
    """Before the server closes them, so no request is sent on a connection that is being closed."""
    assert max(timeouts_of(file, "keepalive_timeout")) < SETTINGS.keepalive_seconds
