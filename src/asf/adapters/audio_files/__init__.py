"""Audio from files below the audio roots, and from nowhere else.

`sources` finds and opens files below the roots, walking down by `beneath`; `content` has the rules for their identity
and growth. Where `mounts` says that a call returns at once, an opened file is `direct`. Otherwise it is `threaded`:
what `looks` finds, and `openings` opens, by `calls` in worker threads.
"""

from asf.adapters.audio_files.direct import FileAudioSource
from asf.adapters.audio_files.mounts import may_wait
from asf.adapters.audio_files.sources import FileAudioSources

__all__ = ["FileAudioSource", "FileAudioSources", "may_wait"]
