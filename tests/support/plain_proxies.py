"""nginx, HAProxy and Varnish as they are without a thought: with their defaults, in front of one server."""

import shutil
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import START_SECONDS
from tests.support.ports import start_on_free_ports
from tests.support.processes import end_process, eventually

NGINX = """daemon off;
error_log stderr crit;
pid {directory}/pid;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
    server {{
        listen 127.0.0.1:{websocket_port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
    }}
}}
"""

HAPROXY = """defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
listen asf
    bind 127.0.0.1:{port}
    bind 127.0.0.1:{websocket_port}
    server asf 127.0.0.1:{upstream}
"""
"""The timeouts are those of Debian's file."""

PACKAGES: Mapping[str, str] = {"nginx": "nginx-light", "haproxy": "haproxy", "varnishd": "varnish"}
PROGRAMS = tuple(PACKAGES)


class PlainProxy:
    """One of `PROGRAMS` in front of the server on a port of this machine. Skips the test where it is missing.

    `url` is for HTTP, `websocket_url` for WebSockets, which need settings of their own in nginx and in Varnish.
    """

    def __init__(self, program: str, directory: Path, upstream: int) -> None:
        path = shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if path is None:
            missing(program, f"apt-get install {PACKAGES[program]}")
        self._path = str(path)
        self._directory = directory
        directory.mkdir(parents=True)
        self._log = directory / "log"
        start_on_free_ports(
            2,
            lambda port, websocket_port: self._start(program, upstream, port, websocket_port),
            lambda: f"{program} did not start:\n{self._log.read_text()}",
        )

    def stop(self) -> None:
        """End it."""
        end_process(self._process)

    def _start(self, program: str, upstream: int, port: int, websocket_port: int) -> bool:
        self.url = f"http://127.0.0.1:{port}"
        self.websocket_url = f"http://127.0.0.1:{websocket_port}"
        self._port = port
        directory, conf = self._directory, self._directory / "conf"
        commands = {
            "nginx": ["-p", str(directory), "-e", "stderr", "-c", str(conf)],
            "haproxy": ["-db", "-f", str(conf)],
            "varnishd": [
                *("-F", "-n", str(directory / "varnish")),
                *("-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{upstream}"),
            ],
        }
        text = {"nginx": NGINX, "haproxy": HAPROXY}.get(program, "")
        conf.write_text(text.format(directory=directory, port=port, websocket_port=websocket_port, upstream=upstream))
        command = [self._path, *commands[program]]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        return eventually(self._outcome, START_SECONDS) == "listens"

    def _outcome(self) -> str:
        if self._process.poll() is not None:
            return "ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
            return "listens"
        return ""
