"""The table of the settings: names, defaults, ranges and meanings (docs/contract.md, section 1).

One module for each subject. The order is that of docs/reference.md.
"""

from asf.settings.table import access, delivery, publishing, server, storage, webhooks
from asf.settings.table.delivery import DEBUG_DRAIN_SECONDS
from asf.settings.table.publishing import UPLOAD_TO_FILE, UPLOAD_TO_QUEUE
from asf.settings.table.server import LOG_LEVELS
from asf.settings.table.setting import Setting

SUBJECTS = (server, access, storage, delivery, publishing, webhooks)

SETTINGS: tuple[Setting, ...] = tuple(setting for subject in SUBJECTS for setting in subject.SETTINGS)

VARIABLES = frozenset(setting.variable for setting in SETTINGS)

__all__ = [
    "DEBUG_DRAIN_SECONDS",
    "LOG_LEVELS",
    "SETTINGS",
    "UPLOAD_TO_FILE",
    "UPLOAD_TO_QUEUE",
    "VARIABLES",
    "Setting",
]
