"""A proxy that serves all of a server below a path, as one does on a developer's machine."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.bounds import PATIENCE_SECONDS

PATH = "/audio"

PASSED_ON = ("Authorization", "Content-Type", "Accept")
RETURNED = ("Content-Type", "Content-Security-Policy")


@contextmanager
def below_a_path(port: int) -> Iterator[str]:
    """Pass on to the server at `port` what is asked below `PATH`. Anything else is 404. Yields the path's URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{PATH}/"):
                self.send_error(404)
                return
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
                headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
                connection.request("GET", self.path.removeprefix(PATH), headers=headers)
                response = connection.getresponse()
                body = response.read()
            self.send_response(response.status)
            for name in RETURNED:
                if value := response.headers[name]:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{PATH}"
        server.shutdown()
        thread.join()
