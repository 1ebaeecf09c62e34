"""Cues: words, sentences and chapters with times in a stream's audio."""
