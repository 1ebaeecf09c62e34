"""A real Redis with a replica, and three real Sentinels that watch them."""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.bounds import PATIENCE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.support.ports import start_on_free_ports
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

MASTER = "mymaster"
COUNT, QUORUM = 3, 2

PATIENT_MILLISECONDS, HASTY_MILLISECONDS = 600_000, 1000
"""How long a Redis may be silent. Sentinels are hasty only while a test waits for a failover: on a busy machine they
would make one that no test asked for."""

HASTE = ["info-period", "500", "publish-period", "200", "ask-period", "200"]
"""What Sentinels do every ten, two, and one seconds otherwise."""


class SentinelTrio:
    """`redis[0]` is the master at the start, and `redis[1]` its replica. `password` is that of the Sentinels."""

    def __init__(self, directory: Path, *, password: str = "") -> None:
        self.redis = [RedisServer(directory / name, persistent=True) for name in ("one", "two")]
        replicate(self.redis[1], self.redis[0])
        self.password = password
        self.sentinels: list[SentinelProcess] = []
        try:
            for number in range(COUNT):
                place = directory / f"sentinel-{number}"
                self.sentinels.append(SentinelProcess(place, self.redis[0].port, password))
            for sentinel in self.sentinels:
                eventually(sentinel.is_ready, START_SECONDS)
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The value of `ASF_REDIS_URL`, with time-outs that a busy machine keeps."""
        return self.url_with(PATIENCE_SECONDS)

    def url_with(self, seconds: float | None = None, sentinels: Sequence["SentinelProcess"] | None = None) -> str:
        """Return the same for some of the Sentinels; without `seconds`, with the product's own time-outs."""
        addresses = ",".join(f"127.0.0.1:{one.port}" for one in sentinels or self.sentinels)
        options = f"?socket_connect_timeout={seconds}&socket_timeout={seconds}" if seconds else ""
        if self.password:
            options += f"{'&' if options else '?'}sentinel_password={self.password}"
        return f"redis+sentinel://{addresses}/{MASTER}/0{options}"

    @property
    def master(self) -> RedisServer:
        """The Redis that most Sentinels name now."""
        ports = [port for sentinel in self.sentinels if (port := sentinel.master_port())]
        port = max(set(ports), key=ports.count)
        return next(one for one in self.redis if one.port == port)

    def other(self, server: RedisServer) -> RedisServer:
        """Return the one of the two Redis that `server` is not."""
        return next(one for one in self.redis if one is not server)

    def fail_over(self) -> RedisServer:
        """Let the Sentinels make the replica the master, and wait until they have. Returns the new one."""
        before = self.master
        asked = next(one for one in self.sentinels if one.master_port())

        def has_begun() -> bool:
            with contextlib.suppress(redis.ResponseError), asked.client() as client:
                return bool(client.execute_command("SENTINEL", "FAILOVER", MASTER) == b"OK")
            return self.master is not before

        eventually(has_begun)
        return self.wait_for_failover(before)

    def be_hasty(self, milliseconds: int = HASTY_MILLISECONDS) -> None:
        """Let the Sentinels that respond notice soon what is down."""
        for sentinel in self.sentinels:
            sentinel.set_down_after(milliseconds)

    def wait_for_failover(self, before: RedisServer) -> RedisServer:
        """Wait until all Sentinels that respond name another master than `before`. Returns it."""
        self.be_hasty()

        def is_over() -> bool:
            ports = {one.master_port() for one in self.sentinels} - {0}
            return len(ports) == 1 and before.port not in ports

        eventually(is_over)
        self.be_hasty(PATIENT_MILLISECONDS)
        return self.master

    def stop(self) -> None:
        """End all processes."""
        for sentinel in self.sentinels:
            sentinel.stop()
        for server in self.redis:
            server.stop()


class SentinelProcess:
    """A Sentinel on a free port, in `directory`, that watches the Redis at `master_port`. It can be killed and hung.

    `text` is its configuration, if that is another one, with `{port}` for its port.
    """

    def __init__(self, directory: Path, master_port: int, password: str = "", text: str = "") -> None:
        directory.mkdir(parents=True)
        self._password = password
        self._directory = directory
        lines = [
            "port {port}",
            "bind 127.0.0.1",
            f"dir {directory}",
            f"sentinel monitor {MASTER} 127.0.0.1 {master_port} {QUORUM}",
            f"sentinel down-after-milliseconds {MASTER} {PATIENT_MILLISECONDS}",
            f"sentinel failover-timeout {MASTER} 6000",
        ]
        if password:
            lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"]
        text = text or "\n".join(lines) + "\n"
        start_on_free_ports(
            1,
            lambda port: self._start_on(port, text),
            lambda: "The Sentinel did not start:\n" + self._log.read_text(),
        )

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def client(self) -> redis.Redis:
        """Return a client of the test's own."""
        return redis.Redis(
            port=self.port,
            protocol=2,
            password=self._password or None,
            socket_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def state(self) -> dict[str, str]:
        """Return what it says about the master."""
        with self.client() as client:
            reply = [word.decode() for word in client.execute_command("SENTINEL", "MASTER", MASTER)]
        return dict(zip(reply[::2], reply[1::2], strict=True))

    def master_port(self) -> int:
        """Return the port of the master, or 0 if it hangs or does not run."""
        if self._process.poll() is not None or self._is_hung:
            return 0
        with self.client() as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def is_ready(self) -> bool:
        """Return whether it knows the replica and the other Sentinels."""
        state = self.state()
        return (state["flags"], state["num-slaves"], state["num-other-sentinels"]) == ("master", "1", str(COUNT - 1))

    def set_down_after(self, milliseconds: int) -> None:
        """Let it take a Redis for down after so long, if it responds."""
        if self._process.poll() is None and not self._is_hung:
            with self.client() as client:
                client.execute_command("SENTINEL", "SET", MASTER, "down-after-milliseconds", milliseconds)

    def hang(self) -> None:
        """Let the process do nothing any more (SIGSTOP)."""
        self._is_hung = True
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue."""
        self._is_hung = False
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process without a word (SIGKILL)."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def start(self) -> None:
        """Start a process again at the same address, with what the earlier one knew."""
        self._process = self._launch()
        assert eventually(self._outcome, START_SECONDS) == "answers", self._log.read_text()

    def stop(self) -> None:
        """End the process, if it has not ended."""
        self.kill()

    @property
    def _log(self) -> Path:
        return self._directory / "sentinel.log"

    def _start_on(self, port: int, text: str) -> bool:
        self.port = port
        (self._directory / "sentinel.conf").write_text(text.replace("{port}", str(port)))
        self._process = self._launch()
        return eventually(self._outcome, START_SECONDS) == "answers"

    def _launch(self) -> subprocess.Popen[bytes]:
        assert shutil.which("redis-server"), "RedisServer skips without it"
        self._is_hung = False
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["redis-server", str(self._directory / "sentinel.conf"), "--sentinel"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _outcome(self) -> str:
        """Shorten its periods, and return `answers`; `ended` if it does not run, and nothing before either."""
        if self._process.poll() is not None:
            return "ended"
        with contextlib.suppress(redis.ConnectionError), self.client() as client:
            with contextlib.suppress(redis.ResponseError):  # Before version 7.
                client.execute_command("SENTINEL", "DEBUG", *HASTE)
            # Another one may have been faster to listen on the port.
            return "answers" if client.info("server")["process_id"] == self._process.pid else ""
        return ""


def replicate(one: RedisServer, other: RedisServer) -> None:
    """Make `one` a replica of `other`, and wait until it has everything."""
    with contextlib.closing(one.client()) as client, contextlib.closing(other.client()) as master:
        master.config_set("repl-diskless-sync-delay", "0")
        client.replicaof("127.0.0.1", str(other.port))
        eventually(lambda: client.info("replication")["master_link_status"] == "up")
