"""Several servers that are one: Redis and an audio root are all that they share."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import ServerProcess
from tests.support.redis_server import RedisServer
from tests.support.secret_values import API_TOKEN

COUNT = 3
TOKEN = API_TOKEN


class Nodes:
    """Three servers with `environment`, and with what `each` has for one. Started again they keep their ports.

    `python` is the interpreter of another installation of ASF, for those that are started first.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        each: Sequence[Mapping[str, str]] = ({},) * COUNT,
        *,
        persistent: bool = False,
        python: str | None = None,
    ) -> None:
        self._directory = directory
        self.redis = RedisServer(directory / "redis", persistent=persistent)
        shared = {
            "ASF_REDIS_URL": self.redis.url,
            "ASF_INTERNAL_API_TOKEN": TOKEN,
            **(environment or {}),
        }
        self._joins_before = [0] * len(each)
        self._environments = [{**shared, **own} for own in each]
        self.all = [ServerProcess(directory, environment, python=python) for environment in self._environments]

    @property
    def ports(self) -> list[int]:
        """The ports that they listen on."""
        return [node.port for node in self.all]

    def announce(self, stream_id: str, audio: bytes) -> None:
        """Write `audio` where all of them read it, and announce it to one of them."""
        self.all[-1].announce(stream_id, audio)

    def listeners(self) -> list[int]:
        """Return how many listeners each of them has."""
        return [_value(node, "asf_listeners") for node in self.all]

    def count_from_now(self) -> None:
        """Count only those joins that follow."""
        self._joins_before = [_value(node, "asf_joins_total") for node in self.all]

    def joins(self) -> list[int]:
        """Return how many have joined at each of them since they were started, or since `count_from_now`."""
        joins = [_value(node, "asf_joins_total") for node in self.all]
        return [now - before for now, before in zip(joins, self._joins_before, strict=True)]

    def start_again(self, number: int, *, python: str | None = None) -> None:
        """Start the one with that index, which has ended, where it was: as another installation, if that is named."""
        assert self.all[number].process.poll() is not None, "It is still running"
        environment = self._environments[number] | {"ASF_PORT": str(self.all[number].port)}
        self.all[number] = ServerProcess(self._directory, environment, python=python)

    def stop(self) -> None:
        """End all that have not ended. Fails where one does not end cleanly."""
        running = [node for node in self.all if node.process.poll() is None]
        for node in running:
            node.process.terminate()
        try:
            for node in running:
                assert node.wait() == 0, "".join(node.log)
        finally:
            for node in self.all:
                node.kill()
            self.redis.stop()
        for node in self.all:
            assert not any("Traceback (" in line for line in node.log), "".join(node.log)


def _value(node: ServerProcess, name: str) -> int:
    match = re.search(rf"^{name} (\S+)$", node.metrics(), re.MULTILINE)
    assert match is not None, name
    return int(float(match[1]))
