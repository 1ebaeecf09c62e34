"""Which voice this machine has."""

import os
import shutil
from pathlib import Path

from asf.client.voice.espeak import EspeakVoice
from asf.client.voice.piper import PiperVoice
from asf.client.voice.speech import Voice

HOW_TO_INSTALL = "Install a voice: apt-get install espeak-ng (macOS: brew install espeak-ng)."
"""For humans, if `find_voice` finds none."""

PIPER_MODEL = "PIPER_MODEL"
"""Environment variable: the file of Piper's voice."""


def find_voice(name: str | None = None) -> Voice | None:
    """Return the voice to speak with, or None if none is installed.

    That is Piper, if it is installed and `PIPER_MODEL` in the environment names the file of its voice, unless `name`
    asks for a voice of eSpeak NG. Otherwise it is eSpeak NG, with English by default.
    """
    program, model = shutil.which("piper"), os.environ.get(PIPER_MODEL)
    if name is None and program is not None and model:
        return PiperVoice(program, Path(model))
    if shutil.which("espeak-ng") is not None:
        return EspeakVoice(name or "en")
    return None
