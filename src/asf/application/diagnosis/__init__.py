"""Checks a machine's setup and the settings of a server, and suggests fixes: `asf doctor` and `asf health`."""
