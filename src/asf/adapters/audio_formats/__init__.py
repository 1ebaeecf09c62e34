"""How long audio plays, found in its bytes as they pass: no file is read for it, and no decoder is needed.

`frames` are formats of frames that say how long they are (MP3, ADTS); `marks` are those in which the time is written
now and then (Ogg, FLAC, WebM, fragmented MP4); `tables` are those whose beginning says it all (WAV, MP4).
"""

from asf.adapters.audio_formats.frames import AdtsScanner, Mp3Scanner
from asf.adapters.audio_formats.marks import FlacScanner, OggScanner, WebmScanner
from asf.adapters.audio_formats.scanners import scanner_of
from asf.adapters.audio_formats.tables import Mp4Scanner, WavScanner

__all__ = [
    "AdtsScanner",
    "FlacScanner",
    "Mp3Scanner",
    "Mp4Scanner",
    "OggScanner",
    "WavScanner",
    "WebmScanner",
    "scanner_of",
]
