"""UI updates as they are received, and the answers to them."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from asf.adapters.http_api.schemas import SendUiUpdateSchema
from asf.domain.errors import UiUpdateError
from asf.domain.updates.batch import Published
from asf.domain.updates.update import UiUpdate

SENT = "UI update sent to client."

_SCHEMA = SendUiUpdateSchema()
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def update_of(payload: Mapping[str, Any]) -> UiUpdate:
    """Return the update in a JSON object. Raises the error of the first invalid field, as `SendUiUpdateSchema`.

    The schema takes several times as long as all other work on an update, so it is asked only about those that are
    not valid at first sight.
    """
    client_id, event_name, key = payload.get("client_id"), payload.get("event_name"), payload.get("idempotency_key")
    if isinstance(client_id, str) and isinstance(event_name, str) and "data" in payload and _may_be_key(key):
        try:
            return UiUpdate(client_id, event_name, payload["data"], key)
        except UiUpdateError:
            pass  # The schema says which field comes first.
    update: UiUpdate = _SCHEMA.read(payload)["update"]
    return update


def _may_be_key(value: Any) -> bool:
    return value is None or isinstance(value, str)


@lru_cache(64)
def _quoted(text: str) -> str:
    return _encode(text)


def answer_line(published: Published) -> bytes:
    """Return the line that answers an update that was published: `body_of` with the status of its own response."""
    return (
        f'{{"duplicate":{"true" if published.duplicate else "false"},"epoch":{_quoted(published.epoch)},'
        f'"http_status":200,"message":"{SENT}","seq":{published.seq},"status":"success",'
        f'"subscribers":{published.subscribers}}}\n'
    ).encode()


def body_of(published: Published) -> dict[str, Any]:
    """Return the response to an update that was published."""
    return {
        "status": "success",
        "message": SENT,
        "seq": published.seq,
        "epoch": published.epoch,
        "subscribers": published.subscribers,
        "duplicate": published.duplicate,
    }


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return a response as one line of JSON, with its end."""
    return f"{_encode(body)}\n".encode()
