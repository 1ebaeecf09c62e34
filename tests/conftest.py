"""Fixtures for all tests."""

import os

from hypothesis import settings

# No deadline: a machine that is busy for a moment is not a wrong program.
settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

pytest_plugins = ["tests.support.fixtures"]
