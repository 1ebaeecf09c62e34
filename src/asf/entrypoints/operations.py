"""Builds what operators see of this node, and of the others."""

from collections.abc import Callable, Sized

from asf.adapters.process_memory import resident_bytes
from asf.application.node_status import NodeIdentity, NodeStatus
from asf.domain.operations.audiences import Audiences
from asf.domain.operations.directory import SessionDirectory
from asf.domain.operations.questions import ThisNode
from asf.domain.operations.service import Operations
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.service import StreamingService
from asf.domain.updates.router import UiUpdateRouter
from asf.entrypoints.storage import Storage


def create_counts(
    streaming: StreamingService,
    blocked: Sized,
    pump: AudioPump,
    router: UiUpdateRouter,
    uploads: Sized,
    connections: Sized,
    max_listeners: int,
) -> dict[str, Callable[[], int]]:
    """Return how the numbers in the status of this node are read."""
    return {
        "listeners": streaming.__len__,
        "listeners_blocked": blocked.__len__,
        "max_listeners": lambda: max_listeners,
        "subscribers": lambda: router.subscriptions,
        "uploads": uploads.__len__,
        "connections": connections.__len__,
        "bytes_sent": lambda: pump.bytes_sent,
        "memory_bytes": resident_bytes,
    }


def create_operations(
    storage: Storage,
    identity: NodeIdentity,
    status: NodeStatus,
    directory: SessionDirectory,
    audiences: Audiences,
) -> Operations:
    """Return the operations, for which this node answers the others, too."""
    this_node = ThisNode(identity.node, status.read, directory, audiences)
    storage.node_calls.connect(this_node.answer)
    return Operations(storage.node_calls)
