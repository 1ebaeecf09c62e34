"""The Socket.IO namespace of UI updates (docs/contract.md, section 4)."""

from typing import Any

from asf.adapters.realtime_api.messages import error_message
from asf.adapters.realtime_api.namespace import StrictNamespace
from asf.adapters.realtime_api.payloads import PayloadError, SubscribeSchema
from asf.domain.router import UiUpdateRouter


class UiUpdatesNamespace(StrictNamespace):
    """Turns the events of subscribers into calls of the `UiUpdateRouter`."""

    def __init__(self, namespace: str, router: UiUpdateRouter) -> None:
        super().__init__(namespace)
        self._router = router
        self._subscribe_schema = SubscribeSchema()

    def on_connect(self, sid: str, *_environ_and_auth: Any) -> None:
        """Greet a subscriber."""
        greeting = {"message": f"Connected to ASF UI updates on namespace {self.namespace}."}
        self.emit("ui_connection_ack", greeting, to=sid)

    def on_disconnect(self, sid: str, *_reason: Any) -> None:
        """Forget a subscriber that is gone."""
        self._router.drop(sid)

    def on_subscribe_to_ui_updates(self, sid: str, payload: Any = None, *_more: Any) -> None:
        """Subscribe to the updates of one client."""
        try:
            client_id = self._subscribe_schema.read(payload)["client_id"]
        except PayloadError as error:
            self.emit("ui_error", error_message(error), to=sid)
            return
        self._router.subscribe(sid, client_id)
        confirmation = {"status": "success", "client_id": client_id, "subscribed_to_room": client_id}
        self.emit("subscribed_ui_updates", confirmation, to=sid)
