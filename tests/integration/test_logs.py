"""What an operator reads."""

import json
import re
from pathlib import Path

import requests

from tests.support.bounds import PATIENCE_SECONDS
from tests.support.plain_websocket import PlainListener
from tests.support.processes import ServerProcess, eventually


def test_production_logs_json_and_one_line_for_each_join_and_end(tmp_path: Path) -> None:
    """With bytes, duration and outcome, and without what was in the query."""
    server = ServerProcess(tmp_path, {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": "k" * 32})
    server.announce("s", b"audio")
    PlainListener(server.url, "s", token="geheim").receive_to_the_end()  # noqa: S106 - it shall not be in the log
    assert requests.get(f"{server.stream_url('s')}?token=geheim", timeout=PATIENCE_SECONDS).content == b"audio"
    eventually(lambda: sum("is gone" in line for line in server.log) == 2)
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    ended = [line for line in lines if "outcome" in line]
    assert [(line["stream_id"], line["outcome"], line["sent_bytes"]) for line in ended] == [("s", "complete", 5)] * 2
    assert all(0 <= line["seconds"] < PATIENCE_SECONDS for line in ended)
    assert sum("joined" in line["message"] for line in lines) == 2
    assert not any("geheim" in line for line in server.log)


def test_debug_mode_logs_text(tmp_path: Path) -> None:
    """For people."""
    server = ServerProcess(tmp_path)
    server.announce("s", b"audio")
    PlainListener(server.url, "s").receive_to_the_end()
    eventually(
        lambda: any(
            re.search(r"A listener of 's' is gone: complete, 5 bytes in \d+\.\d s", line) for line in server.log
        )
    )
    assert server.stop() == 0
