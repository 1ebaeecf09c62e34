"""A player in virtual time."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.frames import Frames
from tests.support.virtual import ScriptedListener, VirtualServer


@dataclass
class Player:
    """A player that plays all it has, from its first chunk on; it stops where nothing has come."""

    audio: Frames
    listener: ScriptedListener
    offset: int = 0
    played: float = 0.0
    waited: float = 0.0
    most_bytes: int = 0
    most_seconds: float = 0.0
    start: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.audio.seconds_before(self.offset)

    @property
    def end(self) -> float:
        """How much was sent, in seconds."""
        return self.audio.seconds_before(self.offset + self.listener.received_bytes) - self.start

    def look(self) -> None:
        """Record how much is there that was not played."""
        self.most_seconds = max(self.most_seconds, self.end - self.played)
        frame = min(int((self.start + self.played) / self.audio.frame_seconds), len(self.audio.offsets) - 1)
        self.most_bytes = max(
            self.most_bytes, self.offset + self.listener.received_bytes - max(self.offset, self.audio.offsets[frame])
        )

    def play(self, seconds: float) -> None:
        """Play for so long."""
        played = min(seconds, self.end - self.played)
        self.played += played
        self.waited += seconds - played


def run(server: VirtualServer, player: Player, seconds: float, step: float = 0.5) -> Iterator[None]:
    """Let time pass in steps, in each of which the player plays."""
    for _ in range(round(seconds / step)):
        player.look()
        yield
        server.run(step)
        player.play(step)
    player.look()
