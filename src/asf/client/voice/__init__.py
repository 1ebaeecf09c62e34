"""Text to speech with programs of this machine: what `asf demo --text` and the console speak with."""

from asf.client.voice.encoding import Encoding, SoundEncoder, find_encoding
from asf.client.voice.espeak import EspeakVoice
from asf.client.voice.installed import HOW_TO_INSTALL, find_voice
from asf.client.voice.piper import PiperVoice
from asf.client.voice.speech import SpokenSentence, Voice, VoiceFailed, Word
from asf.client.voice.text import MAX_TEXT_CHARACTERS, checked_sentences, sentences_of

__all__ = [
    "HOW_TO_INSTALL",
    "MAX_TEXT_CHARACTERS",
    "Encoding",
    "EspeakVoice",
    "PiperVoice",
    "SoundEncoder",
    "SpokenSentence",
    "Voice",
    "VoiceFailed",
    "Word",
    "checked_sentences",
    "find_encoding",
    "find_voice",
    "sentences_of",
]
