"""An HTTP server that answers as it is told, in a process of its own: importing ASF makes http.server cooperative.

Its one argument is a JSON list of answers: `"drop"` closes the connection without one, `[status, body]` answers with
that JSON, `[status, text]` with that text. The last one stays. Its first line of output is its port; then there is a
line of JSON for each request.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

from tests.support.bounds import STOP_SECONDS

Answer = str | tuple[int, Any]


class ScriptedServer:
    """Starts the process, and ends it on leaving. Then `requests` has method, path, headers and body of each."""

    def __init__(self, *answers: Answer) -> None:
        command = [sys.executable, "-m", "tests.support.scripted_server", json.dumps(answers)]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.requests: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        output, _ = self._process.communicate(timeout=STOP_SECONDS)
        self.requests = [json.loads(line) for line in output.splitlines()]


def serve(answers: Sequence[Any]) -> None:
    """Answer for ever, on a free port of the loopback interface."""
    remaining = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            request = {
                "method": self.command,
                "path": self.path,
                "headers": dict(self.headers),
                "body": json.loads(self.rfile.read(length) or "null"),
            }
            sys.stdout.write(json.dumps(request) + "\n")
            sys.stdout.flush()
            answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            self.close_connection = True
            if answer == "drop":
                return
            status, content = answer
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do  # noqa: N815 - the names that the library calls

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
