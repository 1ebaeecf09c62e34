"""Audio Stream Feeder: streams podcast audio and relays progress events over WebSockets."""

__version__ = "0.1.0"
