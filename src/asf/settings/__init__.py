"""The settings: a table of variables (`table`), read once from a mapping (`reader`) into a `Settings` (`values`).

Every invalid variable is reported in one line. The table is also the source of docs/reference.md and
.env.example.
"""

from asf.settings.environment import environment_warnings
from asf.settings.parsing import ANY_ORIGIN
from asf.settings.reader import SettingsError, environment_with_dotenv, has_secrets, read_setting, read_settings
from asf.settings.secret_strength import GENERATE_SECRET, MIN_CHARACTERS, can_be_guessed
from asf.settings.table import SETTINGS, UPLOAD_TO_FILE, VARIABLES, Setting
from asf.settings.trial import is_configured, trial_environment
from asf.settings.values import LOOPBACK_OF_WILDCARD, Settings, url_of

__all__ = [
    "ANY_ORIGIN",
    "GENERATE_SECRET",
    "LOOPBACK_OF_WILDCARD",
    "MIN_CHARACTERS",
    "SETTINGS",
    "UPLOAD_TO_FILE",
    "VARIABLES",
    "Setting",
    "Settings",
    "SettingsError",
    "can_be_guessed",
    "environment_warnings",
    "environment_with_dotenv",
    "has_secrets",
    "is_configured",
    "read_setting",
    "read_settings",
    "trial_environment",
    "url_of",
]
