"""All checks, as `asf doctor` runs them."""

import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

from asf.adapters.redis_store.sentinel_url import is_sentinel_url
from asf.application.diagnosis.finding import Finding, Severity
from asf.application.diagnosis.network import (
    examine_address,
    examine_file_limit,
    examine_webhook_receiver,
    is_running,
)
from asf.application.diagnosis.security import examine_files, examine_posture
from asf.application.diagnosis.sentinels import examine_sentinels
from asf.application.diagnosis.storage import (
    examine_audio_root,
    examine_cues,
    examine_database,
    examine_object_stores,
    examine_redis,
    examine_uploads,
)
from asf.application.diagnosis.workers import examine_workers
from asf.settings import UPLOAD_TO_FILE, Settings, SettingsError, environment_warnings, read_settings


def examine(environment: Mapping[str, str], dotenv_path: Path = Path(".env")) -> Iterator[Finding]:
    """Yield the findings for the settings in `environment`, which includes those of the file at `dotenv_path`.

    Changes nothing on the machine.
    """
    for warning in environment_warnings(environment):
        yield Finding("settings", Severity.ADVICE, warning, "Correct or remove it, in the environment or in .env.")
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", Severity.PROBLEM, problem, "Correct it in the environment or in .env.")
        return
    yield Finding("settings", Severity.OK, "valid")
    yield from examine_posture(settings)
    yield from examine_files(settings, dotenv_path)
    for root in settings.audio_roots:
        yield examine_audio_root(root)
    if settings.workers > 1:
        yield examine_workers(settings.workers, has_redis=bool(settings.redis_url))
    yield from _examine_shared(settings) if settings.redis_url else _examine_local(settings)
    if settings.upload_to == UPLOAD_TO_FILE and settings.upload_path is not None:
        yield examine_uploads(settings.upload_path)
    if settings.has_object_stores:
        yield from examine_object_stores(settings)
    if settings.webhook_url:
        yield examine_webhook_receiver(settings.webhook_url)
    yield examine_address(settings.host, settings.port)
    yield examine_file_limit(settings.open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _examine_shared(settings: Settings) -> Iterator[Finding]:
    if is_sentinel_url(settings.redis_url):
        yield from examine_sentinels(settings.redis_url)
    yield examine_redis(settings.redis_url)


def _examine_local(settings: Settings) -> Iterator[Finding]:
    yield examine_database(settings.database, is_running=is_running(settings.host, settings.port))
    cues = examine_cues(settings.database)
    if cues is not None:
        yield cues
