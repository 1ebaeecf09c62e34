"""Streaming: what sends audio and cues to listeners."""

from dependency_injector import providers

from asf.adapters.audio_formats import scanner_of
from asf.adapters.session_log import SessionLog
from asf.domain.access.control import AccessControl
from asf.domain.access.expiry import Expiries
from asf.domain.access.ports import TokenVerifier
from asf.domain.cues.feeds import CueFeeds
from asf.domain.cues.service import Cues
from asf.domain.streaming.admission import Admission
from asf.domain.streaming.ahead import AheadLimit
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.batch_cache import BatchCache
from asf.domain.streaming.due import ChunkStreamer
from asf.domain.streaming.live_edge import LiveEdge
from asf.domain.streaming.pacing import Pace
from asf.domain.streaming.pump import AudioPump
from asf.domain.streaming.schedule import Schedule
from asf.domain.streaming.seek_limit import SeekLimit
from asf.domain.streaming.service import StreamingService
from asf.domain.streaming.slow_listeners import SlowListeners
from asf.domain.streaming.stalled_streams import StalledStreams
from asf.domain.streaming.waiting_room import WaitingRoom
from asf.entrypoints import factories, workers
from asf.entrypoints.parts.storage import StorageParts
from asf.entrypoints.uploads import local_check


class StreamingParts(StorageParts):
    """Streaming: what sends audio and cues to listeners."""

    pace: providers.Provider[Pace] = providers.Singleton(
        Pace, StorageParts.settings.provided.chunk_size, StorageParts.settings.provided.stream_sleep_interval
    )
    cues: providers.Provider[Cues] = providers.Singleton(
        Cues,
        StorageParts.cue_store,
        StorageParts.catalog,
        StorageParts.settings.provided.max_cues,
        StorageParts.metrics,
        StorageParts.runtime.provided.checkpoint,
    )
    cue_feeds: providers.Provider[CueFeeds] = providers.Singleton(
        CueFeeds,
        StorageParts.cue_store,
        StorageParts.runtime.provided.spawn,
        StorageParts.runtime.provided.checkpoint,
        StorageParts.runtime.provided.pause,
    )
    streamer: providers.Provider[ChunkStreamer] = providers.Singleton(
        ChunkStreamer,
        pace,
        providers.Singleton(
            AheadLimit, StorageParts.settings.provided.ahead_seconds, pace, providers.Object(scanner_of)
        ),
    )
    batches: providers.Provider[BatchCache] = providers.Singleton(BatchCache, pace)
    pool: providers.Provider[AudioPool] = providers.Singleton(
        AudioPool,
        StorageParts.audio_sources,
        batches,
        providers.Singleton(local_check, StorageParts.audio_files, StorageParts.upload_storage.provided.sources),
    )
    schedule: providers.Provider[Schedule] = providers.Singleton(Schedule)
    stalled_streams: providers.Provider[StalledStreams] = providers.Singleton(
        StalledStreams,
        StorageParts.catalog,
        StorageParts.runtime.provided.spawn,
        StorageParts.settings.provided.stall_give_up_seconds,
    )
    live_edge: providers.Provider[LiveEdge] = providers.Singleton(
        LiveEdge,
        pool,
        schedule,
        StorageParts.settings.provided.stall_seconds,
        StorageParts.settings.provided.stall_give_up_seconds,
        stalled_streams.provided.give_up,
    )
    slow_listeners: providers.Provider[SlowListeners] = providers.Singleton(
        SlowListeners, StorageParts.settings.provided.slow_listener_seconds
    )
    waiting_room: providers.Provider[WaitingRoom] = providers.Singleton(
        WaitingRoom, StorageParts.settings.provided.join_wait_seconds
    )
    expiries: providers.Provider[Expiries] = providers.Singleton(Expiries)
    seek_limit: providers.Provider[SeekLimit] = providers.Singleton(SeekLimit)
    session_log: providers.Provider[SessionLog] = providers.Singleton(SessionLog, StorageParts.metrics)
    pump: providers.Provider[AudioPump] = providers.Singleton(
        AudioPump,
        streamer,
        pool,
        schedule,
        live_edge,
        slow_listeners,
        providers.List(waiting_room, expiries, seek_limit),
        StorageParts.clock,
        session_log,
    )
    token_verifier: providers.Provider[TokenVerifier | None] = providers.Singleton(
        factories.create_token_verifier, StorageParts.settings
    )
    access: providers.Provider[AccessControl] = providers.Singleton(
        AccessControl, token_verifier, expiries, StorageParts.clock, pump.provided.update_wake_up
    )
    admission: providers.Provider[Admission] = providers.Singleton(
        Admission,
        StorageParts.catalog,
        pool,
        pump,
        waiting_room,
        StorageParts.clock,
        session_log,
        with_simulation=StorageParts.settings.provided.debug_mode,
        spawn=StorageParts.runtime.provided.spawn,
        checkpoint=StorageParts.runtime.provided.checkpoint,
    )
    streaming: providers.Provider[StreamingService] = providers.Singleton(
        StreamingService,
        admission,
        pump,
        access,
        StorageParts.clock,
        session_log,
        providers.Singleton(workers.create_listener_limit, StorageParts.settings, StorageParts.seat),
        seek_limit,
        StorageParts.runtime.provided.checkpoint,
        cue_feeds,
    )
