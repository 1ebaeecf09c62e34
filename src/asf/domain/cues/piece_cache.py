"""The pieces of cues that many listeners are sent: each is read and rendered once."""

from collections import OrderedDict

from asf.domain.cues.track import CuePiece

MAX_CACHED_CHARACTERS = 8 * 1024 * 1024
"""Size of the cache. Listeners of one stream that join together are sent the same pieces."""

PieceKey = tuple[str, str, int]
"""Stream id, epoch, and the number before the first cue."""


class PieceCache:
    """The pieces that were used last, of `max_characters` together."""

    def __init__(self, max_characters: int = MAX_CACHED_CHARACTERS) -> None:
        self._max_characters = max_characters
        self._pieces: OrderedDict[PieceKey, CuePiece] = OrderedDict()
        self._characters = 0

    def get(self, key: PieceKey) -> CuePiece | None:
        """Return a piece, or None."""
        piece = self._pieces.get(key)
        if piece is not None:
            self._pieces.move_to_end(key)
        return piece

    def put(self, key: PieceKey, piece: CuePiece) -> None:
        """Cache a piece."""
        if key in self._pieces:
            return
        self._pieces[key] = piece
        self._characters += len(piece.cues_json)
        while self._characters > self._max_characters:
            self._characters -= len(self._pieces.popitem(last=False)[1].cues_json)

    def clear(self) -> None:
        """Evict everything."""
        self._pieces.clear()
        self._characters = 0
