"""The settings: a table of variables (`table`), read once from a mapping (`reader`) into a `Settings` (`values`).

Every invalid variable is reported in one line. The table is also the source of docs/reference.md and
.env.example.
"""

from asf.settings.environment import environment_warnings
from asf.settings.parsing import ANY_ORIGIN
from asf.settings.reader import SettingsError, environment_with_dotenv, read_settings
from asf.settings.table import MIN_SECRET_KEY_CHARACTERS, SETTINGS, VARIABLES, Setting
from asf.settings.values import LOOPBACK_OF_WILDCARD, Settings, url_of

__all__ = [
    "ANY_ORIGIN",
    "LOOPBACK_OF_WILDCARD",
    "MIN_SECRET_KEY_CHARACTERS",
    "SETTINGS",
    "VARIABLES",
    "Setting",
    "Settings",
    "SettingsError",
    "environment_warnings",
    "environment_with_dotenv",
    "read_settings",
    "url_of",
]
