"""nginx and HAProxy with the files of deploy/, each on free ports of the loopback interface."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS
from tests.support.ports import start_on_free_ports
from tests.support.processes import end_process, eventually

DEPLOY = Path(__file__).parents[2] / "deploy"


class Proxy:
    """A proxy in front of nodes on these ports: three, as the files have it.

    `url` is where listeners come in, `internal_url` where backends do. With `most` one address may have so many
    connections, and begin any number of sessions. Unless it `gives_up`, a node that is slow to accept a connection or
    to say that it is ready, on a machine that is busy, is not taken for a dead one. Skips the test where the program
    is missing.
    """

    program: str
    file: str
    reload_signal: signal.Signals
    entrances = 2
    """Ports that it listens on: for listeners, and for backends."""

    def __init__(
        self, directory: Path, ports: Sequence[int], *, most: int | None = None, gives_up: bool = False
    ) -> None:
        if shutil.which(self.program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") is None:
            missing(self.program, f"apt-get install {self.program}")
        self._directory = directory
        directory.mkdir(parents=True)
        more = {**({} if most is None else self._bound(most)), **({} if gives_up else self._patience())}
        start_on_free_ports(
            2,
            lambda port, internal_port: self._start(ports, port, internal_port, more),
            lambda: f"{self.program} did not start:\n{self.log}",
        )

    @property
    def port(self) -> int:
        """The port for listeners."""
        return self._port

    @property
    def url(self) -> str:
        """Where listeners come in."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def internal_url(self) -> str:
        """Where backends come in."""
        return f"http://127.0.0.1:{self._internal_port}"

    @property
    def log(self) -> str:
        """What it has said so far, with the line of each request."""
        return self._log.read_text()

    def reload(self) -> None:
        """Let it read its file again."""
        self._process.send_signal(self.reload_signal)

    def stop(self) -> None:
        """End it."""
        end_process(self._process)

    def _start(self, ports: Sequence[int], port: int, internal_port: int, more: Mapping[str, str]) -> bool:
        self._port, self._internal_port = port, internal_port
        text = (DEPLOY / self.file).read_text()
        for old, new in {**self._changes(ports, port, internal_port), **more}.items():
            assert old in text, f"{self.file} has no {old!r}"
            text = text.replace(old, new)
        (self._directory / self.file).write_text(text)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self._directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        return eventually(self._outcome, START_SECONDS) == "listens"

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _changes(self, ports: Sequence[int], port: int, internal_port: int) -> Mapping[str, str]:
        """Return what stands for what in the file, here."""
        raise NotImplementedError

    def _bound(self, most: int) -> Mapping[str, str]:
        """Return what stands for what where one address may have so many connections."""
        raise NotImplementedError

    def _patience(self) -> Mapping[str, str]:
        """Return what stands for what where a node may be slow."""
        return {}

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _outcome(self) -> str | None:
        if self._process.poll() is not None:
            return "ended"
        with suppress(OSError):
            for port in (self._port, self._internal_port)[: self.entrances]:
                socket.create_connection(("127.0.0.1", port)).close()
            return "listens"
        return None


class Nginx(Proxy):
    """nginx with deploy/nginx.conf."""

    program = "nginx"
    file = "nginx.conf"
    reload_signal = signal.SIGHUP

    def _command(self) -> list[str]:
        here = self._directory
        return ["/usr/sbin/nginx", "-p", str(here), "-c", str(here / self.file), "-e", "stderr", "-g", "daemon off;"]

    def _changes(self, ports: Sequence[int], port: int, internal_port: int) -> Mapping[str, str]:
        # Its own places are for root only.
        places = [
            f"{name}_temp_path {self._directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "scgi")
        ]
        return {
            "worker_processes auto;": f"worker_processes auto; pid {self._directory}/pid;",
            "http {": "\n".join(["http {", *places, f"uwsgi_temp_path {self._directory}/uwsgi;"]),
            "listen 80;": f"listen 127.0.0.1:{port};",
            "listen 5006;": f"listen 127.0.0.1:{internal_port};",
        } | {f"10.0.0.1{number}:5006": f"127.0.0.1:{node}" for number, node in enumerate(ports, 1)}

    def _bound(self, most: int) -> Mapping[str, str]:
        return {
            "limit_conn connections 500;": f"limit_conn connections {most};",
            "rate=100r/s": "rate=100000r/s",
        }

    def _patience(self) -> Mapping[str, str]:
        return {"proxy_connect_timeout 1s": f"proxy_connect_timeout {PATIENCE_SECONDS:.0f}s"}


class HAProxy(Proxy):
    """HAProxy with deploy/haproxy.cfg."""

    program = "haproxy"
    file = "haproxy.cfg"
    reload_signal = signal.SIGUSR2

    def _command(self) -> list[str]:
        return ["/usr/sbin/haproxy", "-W", "-db", "-f", str(self._directory / self.file)]

    def _changes(self, ports: Sequence[int], port: int, internal_port: int) -> Mapping[str, str]:
        return {
            "bind :80\n": f"bind 127.0.0.1:{port}\n",
            "bind :5006\n": f"bind 127.0.0.1:{internal_port}\n",
        } | {f" asf{number}:5006 ": f" 127.0.0.1:{node} " for number, node in enumerate(ports, 1)}

    def _bound(self, most: int) -> Mapping[str, str]:
        return {"sc_conn_cur(0) gt 500": f"sc_conn_cur(0) gt {most}", "gt 1000": "gt 1000000"}

    def _patience(self) -> Mapping[str, str]:
        return {
            "timeout check 2s": f"timeout check {PATIENCE_SECONDS:.0f}s",
            "timeout connect 1s": f"timeout connect {PATIENCE_SECONDS:.0f}s",
            " fall 2 ": " fall 6 ",
        }


class NginxBelowPath(Nginx):
    """nginx with deploy/nginx-path.conf, in front of one server."""

    file = "nginx-path.conf"
    entrances = 1

    def _changes(self, ports: Sequence[int], port: int, internal_port: int) -> Mapping[str, str]:
        (server,) = ports
        changes = dict(super()._changes([], port, internal_port))
        del changes["listen 5006;"]
        return changes | {"127.0.0.1:5006": f"127.0.0.1:{server}", "/var/www/html": str(self._directory)}

    def _patience(self) -> Mapping[str, str]:
        return {}


class HAProxyBelowPath(HAProxy):
    """HAProxy with deploy/haproxy-path.cfg, in front of one server."""

    file = "haproxy-path.cfg"
    entrances = 1

    def _changes(self, ports: Sequence[int], port: int, internal_port: int) -> Mapping[str, str]:
        (server,) = ports
        changes = dict(super()._changes([], port, internal_port))
        del changes["bind :5006\n"]
        return changes | {"127.0.0.1:5006": f"127.0.0.1:{server}"}

    def _patience(self) -> Mapping[str, str]:
        return {}
