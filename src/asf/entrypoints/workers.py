"""Builds what is different in one of several workers: limits that hold over all of them."""

from collections.abc import Callable
from pathlib import Path

from asf.adapters import connection_quota
from asf.adapters.connection_quota import ConnectionQuota
from asf.adapters.eventlet_runtime.runtime import EventletRuntime
from asf.adapters.prometheus import SharedPage
from asf.adapters.workers.addresses import AddressCounts
from asf.adapters.workers.place import WorkerPlace
from asf.adapters.workers.quota import SharedConnectionQuota
from asf.adapters.workers.seat import Seat
from asf.adapters.workers.session_ids import Owner
from asf.adapters.workers.table import AddressRow, Row, WorkerTable
from asf.application.node_status import NodeIdentity
from asf.domain.streaming.listener_limit import ListenerLimit
from asf.entrypoints import identity
from asf.settings import Settings

IsExempt = Callable[[str], bool]


def create_seat(place: WorkerPlace | None) -> Seat | None:
    """Return this worker's seat, or None for a server that has no others."""
    if place is None:
        return None
    table = WorkerTable(place.table, place.slots, place.capacity)
    return Seat(table, Owner(place.slot, place.generation))


def create_identity(place: WorkerPlace | None) -> NodeIdentity:
    """Return who this process is among the nodes that share a Redis."""
    return identity.create_identity(None if place is None else place.slot)


def create_connection_quota(
    settings: Settings, is_exempt: IsExempt, place: WorkerPlace | None, seat: Seat | None
) -> ConnectionQuota:
    """Return the quota of connections."""
    limits = (settings.max_connections, settings.max_connections_per_ip, is_exempt)
    return _quota(place, seat, Row.CONNECTIONS, AddressRow.CONNECTIONS, *limits)


def create_socketio_quota(
    settings: Settings, is_exempt: IsExempt, place: WorkerPlace | None, seat: Seat | None
) -> ConnectionQuota:
    """Return the quota of Socket.IO connections, which need not be TCP connections."""
    limits = (settings.max_connections, settings.max_connections_per_ip, is_exempt)
    return _quota(place, seat, Row.SOCKETIO_CONNECTIONS, AddressRow.SOCKETIO_CONNECTIONS, *limits)


def create_beginnings_quota(
    settings: Settings, is_exempt: IsExempt, place: WorkerPlace | None, seat: Seat | None
) -> ConnectionQuota:
    """Return the quota of long-polling sessions that have entered no namespace yet."""
    limits = (settings.max_connections, connection_quota.BEGINNINGS_EACH, is_exempt, "sessions without a namespace")
    return _quota(place, seat, Row.BEGINNINGS, AddressRow.BEGINNINGS, *limits)


def create_listener_limit(settings: Settings, seat: Seat | None) -> ListenerLimit:
    """Return the limit of concurrent listeners."""
    if seat is None:
        return ListenerLimit(settings.max_listeners)
    table, slot = seat.table, seat.me.slot
    return ListenerLimit(
        settings.max_listeners,
        lambda: table.total(Row.LISTENERS) - table.get(Row.LISTENERS, slot),
        lambda count: table.set(Row.LISTENERS, slot, count),
    )


def choose_listeners_beside(seat: Seat | None) -> Callable[[], int]:
    """Return what returns how many listeners other workers have that drain with this one."""
    return (lambda: 0) if seat is None else seat.listeners_beside


def create_shared_page(
    render_own: Callable[[], bytes], place: WorkerPlace | None, seat: Seat | None, runtime: EventletRuntime
) -> SharedPage | None:
    """Return the metrics of all workers; None for a server that has no others."""
    if place is None or seat is None:
        return None
    return SharedPage(render_own, Path(place.folder), seat, runtime.ask_worker, runtime.pause, runtime.checkpoint)


def choose_page(render_own: Callable[[], bytes], shared: SharedPage | None) -> Callable[[], bytes]:
    """Return what renders /metrics."""
    return render_own if shared is None else shared.render


def _quota(
    place: WorkerPlace | None,
    seat: Seat | None,
    row: Row,
    address_row: AddressRow,
    most: int,
    most_each: int,
    is_exempt: IsExempt,
    subject: str = "connections",
) -> ConnectionQuota:
    """Return a quota that counts in these rows of the table of all workers, or by itself if there are no others."""
    if place is None or seat is None:
        return ConnectionQuota(most, most_each, is_exempt, subject)
    addresses = AddressCounts(seat.table, address_row, place.slot, bytes.fromhex(place.hash_key))
    return SharedConnectionQuota(seat.table, row, place.slot, addresses, most, most_each, is_exempt, subject)
