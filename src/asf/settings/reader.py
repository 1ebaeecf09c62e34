"""Reads the settings from a mapping, and reports each invalid variable in one line.

environs reads the process's own environment only; this reads any mapping, for `.env` and for tests.
"""

import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from asf.settings.environment import without_service_links
from asf.settings.networks import ANYWHERE, LOOPBACK, include_strangers
from asf.settings.parsing import DEFAULT_NETWORKS, InvalidValue
from asf.settings.secret_strength import GENERATE_SECRET, MIN_CHARACTERS, can_be_guessed
from asf.settings.table import DEBUG_DRAIN_SECONDS, SETTINGS, UPLOAD_TO_QUEUE, Setting
from asf.settings.values import Settings
from asf.settings.webhooks import GENERATE_SECRET as GENERATE_WEBHOOK_SECRET

DRAIN_SECONDS, TRUSTED_NETWORKS = "ASF_DRAIN_SECONDS", "ASF_INTERNAL_TRUSTED_NETWORKS"

CAN_BE_GUESSED = (
    "must not be a placeholder, a repetition or a sequence when ASF_DEBUG_MODE is False: it can be guessed. "
    f"To generate one: {GENERATE_SECRET}"
)


class SettingsError(Exception):
    """Some settings are invalid. `problems` has one line for each: its rule, and its value unless that is secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`, ignoring Kubernetes' service links.

    Raises `SettingsError`, which lists all invalid ones.
    """
    environment = without_service_links(environment)
    values: dict[str, Any] = {}
    problems = []
    for setting in SETTINGS:
        try:
            values[setting.name] = _read(setting, environment)
        except SettingsError as error:
            problems += error.problems
    problems += _conflicts(values, environment)
    if problems:
        raise SettingsError(problems)
    if values["debug_mode"] and DRAIN_SECONDS not in environment:
        values["drain_seconds"] = DEBUG_DRAIN_SECONDS
    key = values["secret_key"]
    networks = values["internal_trusted_networks"]
    if networks is None:
        networks = ANYWHERE if values["debug_mode"] else [] if values["internal_api_token"] else LOOPBACK
    return Settings(
        **values
        | {
            "secret_key": key or secrets.token_urlsafe(),
            "secret_key_is_random": not key,
            "internal_trusted_networks": list(networks),
        }
    )


def read_setting(environment: Mapping[str, str], name: str) -> Any:
    """Return the value of the setting called `name`, such as `audio_roots`, whatever the others are.

    Commands use it: in a container of a trial, or without the secrets, the settings of a server are incomplete.
    Raises `SettingsError` with one line if it is invalid.
    """
    (setting,) = (setting for setting in SETTINGS if setting.name == name)
    return _read(setting, without_service_links(environment))


def environment_with_dotenv(environment: Mapping[str, str], dotenv_path: Path) -> dict[str, str]:
    """Return the variables of the file at `dotenv_path`, overridden by those of `environment`.

    Kubernetes' service links override nothing.
    """
    from_file = {name: value for name, value in dotenv_values(dotenv_path).items() if value is not None}
    return dict(environment) | from_file | without_service_links(environment)


def has_secrets(dotenv_path: Path) -> bool:
    """Return whether the file at `dotenv_path` sets a secret. False if it cannot be read."""
    try:
        values = dotenv_values(dotenv_path)
    except OSError:
        return False
    return any(values.get(setting.variable) for setting in SETTINGS if setting.is_secret)


def _read(setting: Setting, environment: Mapping[str, str]) -> Any:
    text = environment.get(setting.variable, setting.default)
    try:
        return setting.read(text)
    except InvalidValue as error:
        raise SettingsError([_problem_line(setting, text, error)]) from error


def _problem_line(setting: Setting, text: str, error: InvalidValue) -> str:
    got = f" (got {text!r})" if error.is_shown and not setting.is_secret else ""
    hint = f" {error.hint}" if error.hint and not setting.is_secret else ""
    return f"{setting.variable} {error.rule}{got}.{hint}"


def _conflicts(values: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the conflicts between values that are valid by themselves. Invalid ones are missing in `values`."""
    is_debug = values.get("debug_mode", True)
    key, token = values.get("secret_key", ""), values.get("internal_api_token", "")
    networks = values.get("internal_trusted_networks")
    if not is_debug and len(key) < MIN_CHARACTERS:
        yield (
            f"ASF_SECRET_KEY must have {MIN_CHARACTERS} or more characters when ASF_DEBUG_MODE is False "
            f"(got {len(key)} characters). To generate one: {GENERATE_SECRET}"
        )
    elif not is_debug and can_be_guessed(key):
        yield f"ASF_SECRET_KEY {CAN_BE_GUESSED}"
    if not is_debug and token and can_be_guessed(token):
        yield f"ASF_INTERNAL_API_TOKEN {CAN_BE_GUESSED}"
    if values.get("upload_to") == UPLOAD_TO_QUEUE and values.get("redis_url") == "":
        yield f"ASF_UPLOAD_TO must be file without an ASF_REDIS_URL (got {UPLOAD_TO_QUEUE!r})."
    webhook_keys = values.get("webhook_secret")
    if values.get("webhook_url") and webhook_keys == []:
        yield f"ASF_WEBHOOK_URL needs an ASF_WEBHOOK_SECRET. To generate one: {GENERATE_WEBHOOK_SECRET}"
    if not is_debug and webhook_keys and any(can_be_guessed(b64encode(one).decode()) for one in webhook_keys):
        yield (
            "ASF_WEBHOOK_SECRET must not be a repetition or a sequence when ASF_DEBUG_MODE is False: it can be "
            f"guessed. To generate one: {GENERATE_WEBHOOK_SECRET}"
        )
    if networks == [] and not token:
        got = environment[TRUSTED_NETWORKS]
        yield (
            f"ASF_INTERNAL_TRUSTED_NETWORKS needs an ASF_INTERNAL_API_TOKEN (got {got!r}). Without it, nothing could "
            f"call the internal API. For the default, remove the variable or set it to {DEFAULT_NETWORKS}."
        )
    elif not is_debug and networks and include_strangers(networks):
        yield (
            f"ASF_INTERNAL_TRUSTED_NETWORKS is too broad for production (got {', '.join(map(str, networks))}). "
            "List your backends' networks, /8 or narrower."
        )
    elif not is_debug and token and token == key:
        yield (
            "ASF_INTERNAL_API_TOKEN must differ from ASF_SECRET_KEY. "
            "A backend that can announce audio could otherwise sign tokens."
        )
