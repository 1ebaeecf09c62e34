"""Audio from files below the audio roots, and from nowhere else.

`sources` finds and opens files below the roots, walking down by `beneath`. `direct` is an opened file, and `content` has
the rules for content and identity of files.
"""

from asf.adapters.audio_files.direct import FileAudioSource
from asf.adapters.audio_files.sources import FileAudioSources

__all__ = ["FileAudioSource", "FileAudioSources"]
