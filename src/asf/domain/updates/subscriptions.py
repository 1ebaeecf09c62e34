"""The register of subscriptions: which connections subscribed to which clients."""

from typing import Any

from asf.domain.updates.subscriber import Subscriber


class Subscriptions:
    """The subscribers of this server, by client and by connection. `len` counts pairs of the two."""

    def __init__(self) -> None:
        # Dictionaries, as they are ordered: updates reach the connections in the order in which they subscribed.
        self._by_client: dict[str, dict[str, Subscriber]] = {}
        self._by_connection: dict[str, dict[str, Subscriber]] = {}
        # In the order of their numbers.
        self._all: dict[Subscriber, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Subscriber]:
        """Return all subscribers, in the order in which they subscribed: that of their numbers."""
        return list(self._all)

    def add(self, subscriber: Subscriber) -> None:
        """Register a subscriber. Its connection must not be subscribed to its client."""
        connection_id, client_id = subscriber.connection_id, subscriber.client_id
        self._by_client.setdefault(client_id, {})[connection_id] = subscriber
        self._by_connection.setdefault(connection_id, {})[client_id] = subscriber
        self._all[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a registered subscriber."""
        del self._all[subscriber]
        _take_out(self._by_client, subscriber.client_id, subscriber.connection_id)
        _take_out(self._by_connection, subscriber.connection_id, subscriber.client_id)

    def get(self, connection_id: str, client_id: str) -> Subscriber | None:
        """Return the subscription of the connection to the client, or None."""
        return self._by_connection.get(connection_id, {}).get(client_id)

    def of_client(self, client_id: str) -> list[Subscriber]:
        """Return the subscribers of a client, in the order in which they subscribed."""
        return list(self._by_client.get(client_id, {}).values())

    def of_connection(self, connection_id: str) -> list[Subscriber]:
        """Return the subscriptions of a connection."""
        return list(self._by_connection.get(connection_id, {}).values())

    def client_ids(self) -> list[str]:
        """Return the clients that have subscribers here."""
        return list(self._by_client)


def _take_out(groups: dict[str, dict[str, Any]], group: str, key: str) -> None:
    del groups[group][key]
    if not groups[group]:
        del groups[group]
