"""Operators: whether this node is ready, what it carries, and the same of all nodes."""

from functools import partial

from dependency_injector import providers

from asf.application.node_status import BoundedCheck, NodeStatus
from asf.application.readiness import Readiness
from asf.domain.operations.audiences import Audiences
from asf.domain.operations.directory import SessionDirectory
from asf.domain.operations.listeners import Listeners
from asf.domain.operations.service import Operations
from asf.domain.operations.slow_turns import SlowTurns
from asf.entrypoints.operations import create_counts, create_operations
from asf.entrypoints.parts.backends import BackendParts
from asf.entrypoints.parts.connections import ConnectionParts
from asf.entrypoints.parts.storage import StorageParts
from asf.entrypoints.parts.streaming import StreamingParts


class OperatorParts(ConnectionParts):
    """Operators: whether this node is ready, what it carries, and the same of all nodes."""

    readiness: providers.Provider[Readiness] = providers.Singleton(
        Readiness,
        StorageParts.catalog_store,
        StorageParts.cue_store,
        StorageParts.audio_sources,
        StreamingParts.streaming,
        StreamingParts.pump,
        StorageParts.clock,
        StorageParts.storage.provided.name,
    )
    slow_turns: providers.Provider[SlowTurns] = providers.Singleton(
        SlowTurns, StorageParts.clock, StorageParts.metrics.provided.loop_stalled
    )
    listeners: providers.Provider[Listeners] = providers.Singleton(
        Listeners,
        StorageParts.identity.provided.node,
        StreamingParts.admission,
        StreamingParts.pump,
        StreamingParts.slow_listeners,
        StorageParts.clock,
    )
    node_status: providers.Provider[NodeStatus] = providers.Singleton(
        NodeStatus,
        StorageParts.identity,
        StorageParts.clock,
        providers.Factory(partial, getattr, StreamingParts.streaming, "draining"),
        providers.Singleton(BoundedCheck, readiness.provided.problems, StorageParts.runtime),
        providers.Singleton(
            create_counts,
            StreamingParts.streaming,
            StreamingParts.slow_listeners,
            StreamingParts.pump,
            ConnectionParts.router,
            BackendParts.uploads,
            ConnectionParts.connections,
            StorageParts.settings.provided.max_listeners,
        ),
        StorageParts.metrics.provided.rejections,
        StorageParts.metrics.provided.latest_rejections,
        slow_turns.provided.longest_seconds,
        StorageParts.storage.provided.ping,
    )
    operations: providers.Provider[Operations] = providers.Singleton(
        create_operations,
        StorageParts.storage,
        StorageParts.identity,
        node_status,
        providers.Singleton(
            SessionDirectory,
            StorageParts.identity.provided.node,
            StorageParts.identity.provided.tag,
            StreamingParts.streaming,
            listeners,
            ConnectionParts.router,
            BackendParts.uploads,
            StorageParts.clock,
            StorageParts.runtime.provided.checkpoint,
        ),
        providers.Singleton(Audiences, BackendParts.audience, listeners),
    )
