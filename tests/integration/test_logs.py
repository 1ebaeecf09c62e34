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
    assert requests.get(f"{server.stream_url('t')}?token=geheim", timeout=PATIENCE_SECONDS).status_code == 404
    eventually(lambda: sum("session ended" in line for line in server.log) == 2)
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    ended = [line for line in lines if "outcome" in line]
    assert [(line["stream_id"], line["outcome"], line["bytes"]) for line in ended] == [("s", "complete", 5)] * 2
    assert all(0 <= line["seconds"] < PATIENCE_SECONDS for line in ended)
    started = [line for line in lines if line["message"].startswith("session started ")]
    assert [(line["stream_id"], line["offset"]) for line in started] == [("s", 0)] * 2
    assert (
        [line["session"] for line in started] == [line["session"] for line in ended] == ["websocket-1.1", "http-1.2"]
    )
    rejected = [line for line in lines if line["message"].startswith("join rejected ")]
    assert [(line["stream_id"], line["code"]) for line in rejected] == [("t", "ASF_STREAM_NOT_FOUND")]
    assert not any("geheim" in line for line in server.log)


def test_debug_mode_logs_text(tmp_path: Path) -> None:
    """For people."""
    server = ServerProcess(tmp_path)
    server.announce("s", b"audio")
    PlainListener(server.url, "s").receive_to_the_end()
    eventually(
        lambda: any(
            re.search(
                r"session ended session=websocket-1\.1 stream_id=s outcome=complete bytes=5 seconds=[\d.]+$", line
            )
            for line in server.log
        )
    )
    assert server.stop() == 0
