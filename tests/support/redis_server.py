"""A real Redis server in a process of its own, that can be killed, hung and started again."""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.browser.prerequisites import missing
from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.support.ports import start_on_free_ports
from tests.support.processes import eventually


class RedisServer:
    """`redis-server` on a free port of the loopback interface, with `directory` for itself.

    Skips where there is none.

    What it keeps ends with its process, unless it is `persistent`; then everything that it has answered is there when
    the process is started again, whatever ended it.
    """

    _process: subprocess.Popen[bytes]

    def __init__(self, directory: Path, *, persistent: bool = False) -> None:
        if shutil.which("redis-server") is None:
            missing("redis-server", "apt-get install redis-server")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._persistent = persistent
        start_on_free_ports(1, self._start_on, lambda: "Redis did not start:\n" + self._log.read_text())

    @property
    def url(self) -> str:
        """The value of `ASF_REDIS_URL` for it, with time-outs that a busy machine keeps."""
        return self.url_with(PATIENCE_SECONDS)

    @property
    def plain_url(self) -> str:
        """The same with the time-outs of whoever uses it: for tests that are about those."""
        return f"redis://127.0.0.1:{self.port}/0"

    def url_with(self, seconds: float) -> str:
        """Return the same, where connecting and answering may take so long each."""
        return f"{self.plain_url}?socket_connect_timeout={seconds}&socket_timeout={seconds}"

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def client(self) -> redis.Redis:
        """Return a client of the test's own."""
        return redis.Redis.from_url(self.plain_url, socket_timeout=PATIENCE_SECONDS, retry=Retry(NoBackoff(), 0))

    def kill(self) -> None:
        """End the process without a word (SIGKILL)."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def hang(self) -> None:
        """Let the process do nothing any more (SIGSTOP). Its connections stay open, and new ones can be opened."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the process go on where it hung: with what was sent to it, although nobody may wait for it any more."""
        self._process.send_signal(signal.SIGCONT)

    def wait_for_stragglers(self, others: int = 0) -> None:
        """Wait until all is done that was sent over connections which are closed by now; so many others are open."""
        with contextlib.closing(self.client()) as client:
            # Connections are accepted in their order, so those are in the list when this one is answered.
            eventually(lambda: len(client.client_list()) == 1 + others)

    @property
    def written(self) -> Mapping[Path, bytes]:
        """What it has written down by now: the content of its files."""
        return {path: path.read_bytes() for path in self._files.iterdir()}

    def start(self, written: Mapping[Path, bytes] | None = None) -> None:
        """Start a process anew at the same address, after the earlier one has ended.

        It has what was `written` at some time, and has lost the rest: as after a loss of power.
        """
        assert self._process.poll() is not None, "It is still running"
        if written is not None:
            shutil.rmtree(self._files)
            self._files.mkdir()
            for path, content in written.items():
                path.write_bytes(content)
        self._process = self._launch()
        assert self._answers(), self._log.read_text()

    def stop(self) -> None:
        """End the process, if it has not ended. Stopping twice does no harm."""
        if self._process.poll() is None:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    @property
    def _log(self) -> Path:
        return self._directory / "redis.log"

    @property
    def _files(self) -> Path:
        return self._directory / "appendonlydir"

    def _start_on(self, port: int) -> bool:
        self.port = port
        self._process = self._launch()
        return self._answers()

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._directory),
            "save": "",
            "appendonly": "yes" if self._persistent else "no",
            # By default it answers without having written, for up to two seconds, while the disk is busy.
            "appendfsync": "no",
            "daemonize": "no",
        }
        arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["redis-server", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def _answers(self) -> bool:
        """Wait until the process answers, or has ended; tell whether it answers."""
        with contextlib.closing(self.client()) as client:

            def outcome() -> str | None:
                if self._process.poll() is not None:
                    return "ended"
                with contextlib.suppress(redis.RedisError):
                    client.ping()  # answered with an error while it reads what it had written down
                    # Another server may have been faster to listen on the port.
                    if client.info("server")["process_id"] == self._process.pid:
                        return "answers"
                return None

            return eventually(outcome, START_SECONDS) == "answers"
