"""nginx, HAProxy and Varnish as they are without a thought: with their defaults, in front of one server."""

import shutil
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import START_SECONDS
from tests.support.processes import end_process, eventually
from tests.support.proxies import free_ports

ATTEMPTS = 3
"""Another process may be faster to listen on a port that was free."""

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
        path = str(path)
        directory.mkdir(parents=True)
        self._log = directory / "log"
        for _ in range(ATTEMPTS):
            port, websocket_port = free_ports(2)
            values = {
                "directory": directory,
                "port": port,
                "websocket_port": websocket_port,
                "upstream": upstream,
            }
            commands = {
                "nginx": [path, "-p", str(directory), "-e", "stderr", "-c", str(directory / "conf")],
                "haproxy": [path, "-db", "-f", str(directory / "conf")],
                "varnishd": [
                    *(path, "-F", "-n", str(directory / "varnish")),
                    *("-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{upstream}"),
                ],
            }
            (directory / "conf").write_text({"nginx": NGINX, "haproxy": HAPROXY}.get(program, "").format(**values))
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    commands[program], cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
            self.url = f"http://127.0.0.1:{port}"
            self.websocket_url = f"http://127.0.0.1:{websocket_port}"
            self._port = port
            if eventually(self._outcome, START_SECONDS) == "listens":
                return
        raise RuntimeError(f"{program} did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End it."""
        end_process(self._process)

    def _outcome(self) -> str:
        if self._process.poll() is not None:
            return "ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
            return "listens"
        return ""
