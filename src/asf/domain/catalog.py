"""The catalog: which streams exist."""

from asf.domain.errors import StreamNotFound
from asf.domain.ports import AudioSources, CatalogStore
from asf.domain.streams import AudioStream


class StreamCatalog:
    """Takes announcements of audio and answers what a stream id stands for."""

    def __init__(self, store: CatalogStore, sources: AudioSources) -> None:
        self._store = store
        self._sources = sources

    def announce(self, stream_id: str, filepath: str) -> AudioStream:
        """Keep that the audio of `stream_id` is at `filepath`, and return the stream.

        A stream that was announced before is replaced; listeners that are streaming finish on the audio that they
        joined. Raises `InvalidStreamId` or `InvalidFilepath`; then nothing has changed.
        """
        stream = AudioStream(stream_id, self._sources.locate(filepath))
        self._store.put(stream)
        return stream

    def find(self, stream_id: str) -> AudioStream:
        """Return the stream of that id. Raises `StreamNotFound`."""
        stream = self._store.get(stream_id)
        if stream is None:
            raise StreamNotFound
        return stream
