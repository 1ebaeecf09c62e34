"""What a backend service says to ASF, over HTTP."""

from typing import Any

import requests

from asf.client.errors import RequestRefused, ServerUnreachable

TIMEOUT_SECONDS = 10.0


class BackendClient:
    """Calls the internal API of the ASF at `base_url`, such as `http://127.0.0.1:5006`.

    Every method raises `RequestRefused` when ASF answers with an error and `ServerUnreachable` when it does not
    answer.
    """

    def __init__(self, base_url: str) -> None:
        self._internal_url = base_url.rstrip("/") + "/asf/internal"
        self._session = requests.Session()

    def notify_new_audio(self, stream_id: str, filepath: str, state: str = "complete") -> dict[str, Any]:
        """Announce that the audio of `stream_id` is at `filepath`, a path on ASF's machine. Returns the answer.

        `state` is `complete`, `generating` while the file is still being written, or `failed`.
        """
        return self._post("notify_new_audio", {"stream_id": stream_id, "filepath": filepath, "state": state})

    def send_ui_update(self, client_id: str, event_name: str, data: Any) -> dict[str, Any]:
        """Send an event with `data`, any JSON value, to the client. Returns the answer."""
        return self._post("send_ui_update", {"client_id": client_id, "event_name": event_name, "data": data})

    def _post(self, route: str, payload: dict[str, Any]) -> dict[str, Any]:
        url = f"{self._internal_url}/{route}"
        try:
            response = self._session.post(url, json=payload, timeout=TIMEOUT_SECONDS)
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise ServerUnreachable(f"{url} answers, but not as ASF does.") from error
        except requests.RequestException as error:
            raise ServerUnreachable(f"{url} does not answer.") from error
        if not response.ok:
            raise RequestRefused(answer)
        return dict(answer)
