"""Audio Stream Feeder: streams podcast audio and relays progress events over WebSockets."""

__version__ = "0.2.0"
"""The only place of the version. clients/js/package.json has the same one (tests/unit/test_version.py)."""
