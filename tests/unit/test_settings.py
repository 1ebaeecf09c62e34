"""The settings: documented defaults, and one clear line for each invalid value."""

import shlex
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asf.settings import (
    SETTINGS,
    VARIABLES,
    Settings,
    SettingsError,
    environment_warnings,
    environment_with_dotenv,
    is_configured,
    read_settings,
    trial_environment,
)
from asf.settings.webhooks import GENERATE_SECRET as GENERATE_WEBHOOK_SECRET
from tests.support.secret_values import API_TOKEN, SECRET_KEY
from tests.support.webhook_receiver import KEY as WEBHOOK_KEY
from tests.support.webhook_receiver import SECRET as WEBHOOK_SECRET


def test_the_defaults_are_the_documented_ones() -> None:
    """docs/contract.md, section 1."""
    settings = read_settings({})
    assert settings.cors_allowed_origins == ["*"]
    assert (settings.chunk_size, settings.stream_sleep_interval) == (4096, 0.01)
    assert (settings.host, settings.port) == ("0.0.0.0", 5006)  # noqa: S104
    assert settings.debug_mode is True
    assert settings.serve_client is True
    assert settings.serve_operator_page is True
    assert settings.require_tokens is False
    assert settings.internal_api_token == ""
    assert settings.internal_trusted_networks == [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert settings.allowed_hosts == []
    assert settings.ui_updates_namespace == "/ui_updates"
    assert settings.audio_roots == [Path("shared_audio")]
    assert settings.max_message_bytes == 65536
    assert (settings.slow_listener_seconds, settings.max_listeners) == (30.0, 10000)
    assert settings.keepalive_seconds == 75.0
    assert (settings.ui_history_size, settings.ui_history_seconds) == (500, 300.0)
    assert (settings.upload_to, settings.upload_directory) == ("file", None)
    assert (settings.upload_max_bytes, settings.upload_total_bytes) == (2 * 1024**3, 20 * 1024**3)
    assert settings.upload_keep_seconds == 7 * 24 * 3600


def test_a_development_server_drains_for_a_second_unless_told() -> None:
    """Production has the documented default."""
    assert read_settings({}).drain_seconds == 1.0
    assert read_settings({"ASF_DRAIN_SECONDS": "20"}).drain_seconds == 20.0
    assert read_settings({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}).drain_seconds == 20.0


def test_without_a_secret_a_random_one_is_made() -> None:
    """A new one at each start."""
    first, second = read_settings({}), read_settings({})
    assert first.secret_key_is_random
    assert first.secret_key != second.secret_key
    assert not read_settings({"ASF_SECRET_KEY": "x"}).secret_key_is_random


def test_everything_can_be_set() -> None:
    """And other variables are ignored."""
    settings = read_settings(
        {
            "PATH": "/bin",
            "ASF_SECRET_KEY": SECRET_KEY,
            "ASF_CORS_ALLOWED_ORIGINS": "https://a.example, http://localhost:3000",
            "ASF_CHUNK_SIZE": "1048576",
            "ASF_STREAM_SLEEP_INTERVAL": "0",
            "ASF_HOST": "::1",
            "ASF_PORT": "0",
            "ASF_DEBUG_MODE": "false",
            "ASF_SERVE_CLIENT": "false",
            "ASF_UI_UPDATES_NAMESPACE": "",
            "ASF_AUDIO_ROOTS": "/srv/a:/srv/b",
            "ASF_REQUIRE_TOKENS": "True",
            "ASF_INTERNAL_API_TOKEN": API_TOKEN,
            "ASF_INTERNAL_TRUSTED_NETWORKS": "10.0.0.0/8, 192.0.2.7,fd00::/8",
            "ASF_ALLOWED_HOSTS": "ASF.internal, bücher.example",
            "ASF_MAX_MESSAGE_BYTES": "1024",
            "ASF_DATABASE": ":memory:",
            "ASF_REDIS_URL": "rediss://:secret@redis.example:6380/2",
            "ASF_S3_BUCKETS": "one, two.three",
            "ASF_S3_ENDPOINT_URL": "http://store.example:9000",
            "ASF_GS_BUCKETS": "four_5",
            "ASF_AZ_CONTAINERS": "",
            "ASF_OBJECT_CACHE_BYTES": "1073741824",
            "ASF_JOIN_WAIT_SECONDS": "1",
            "ASF_STALL_SECONDS": "2",
            "ASF_STALL_GIVE_UP_SECONDS": "3.5",
            "ASF_SLOW_LISTENER_SECONDS": "0.5",
            "ASF_AHEAD_SECONDS": "0",
            "ASF_HTTP_PAUSE_SECONDS": "0.75",
            "ASF_KEEPALIVE_SECONDS": "630",
            "ASF_LOG_LEVEL": "WARNING",
            "ASF_UI_HISTORY_SIZE": "7",
            "ASF_UI_HISTORY_SECONDS": "1.5",
            "ASF_DRAIN_SECONDS": "2.5",
            "ASF_UPLOAD_TO": "queue",
            "ASF_SERVE_OPERATOR_PAGE": "False",
            "ASF_UPLOAD_DIRECTORY": "/uploads",
            "ASF_UPLOAD_MAX_BYTES": "4",
            "ASF_UPLOAD_TOTAL_BYTES": "5",
            "ASF_UPLOAD_KEEP_SECONDS": "0.5",
            "ASF_WORKERS": "4",
            "ASF_MAX_LISTENERS": "1",
            "ASF_MAX_CONNECTIONS_PER_IP": "2",
            "ASF_MAX_STREAMS": "3",
            "ASF_MAX_CUES": "4",
            "ASF_WEBHOOK_URL": "https://backend.example:8443/events?key=1",
            "ASF_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "ASF_WEBHOOK_RETRY_SECONDS": "0",
        }
    )
    assert asdict(settings) == asdict(
        Settings(
            secret_key=SECRET_KEY,
            cors_allowed_origins=["https://a.example", "http://localhost:3000"],
            chunk_size=1048576,
            stream_sleep_interval=0.0,
            host="::1",
            port=0,
            workers=4,
            debug_mode=False,
            log_level="warning",
            serve_client=False,
            serve_operator_page=False,
            ui_updates_namespace="",
            audio_roots=[Path("/srv/a"), Path("/srv/b")],
            require_tokens=True,
            internal_api_token=API_TOKEN,
            internal_trusted_networks=[*map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8"))],
            allowed_hosts=["asf.internal", "xn--bcher-kva.example"],
            max_message_bytes=1024,
            database=":memory:",
            redis_url="rediss://:secret@redis.example:6380/2",
            s3_buckets=["one", "two.three"],
            s3_endpoint_url="http://store.example:9000",
            object_cache_bytes=1073741824,
            gs_buckets=["four_5"],
            az_containers=[],
            join_wait_seconds=1.0,
            stall_seconds=2.0,
            stall_give_up_seconds=3.5,
            slow_listener_seconds=0.5,
            ahead_seconds=0.0,
            http_pause_seconds=0.75,
            keepalive_seconds=630.0,
            ui_history_size=7,
            ui_history_seconds=1.5,
            drain_seconds=2.5,
            upload_directory=Path("/uploads"),
            upload_to="queue",
            upload_max_bytes=4,
            upload_total_bytes=5,
            upload_keep_seconds=0.5,
            max_listeners=1,
            max_connections_per_ip=2,
            max_streams=3,
            max_cues=4,
            webhook_url="https://backend.example:8443/events?key=1",
            webhook_secret=[WEBHOOK_KEY],
            webhook_retry_seconds=0.0,
            secret_key_is_random=False,
        )
    )


HOW_TO_GENERATE = "To generate one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
PRODUCTION = {"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": SECRET_KEY}

WRONG = [
    ("ASF_MAX_CONNECTIONS_PER_IP", "-1"),
    ("ASF_MAX_CONNECTIONS_PER_IP", "two"),
    ("ASF_MAX_STREAMS", "0"),
    ("ASF_CHUNK_SIZE", "0"),
    ("ASF_CHUNK_SIZE", "1048577"),
    ("ASF_CHUNK_SIZE", "4 KiB"),
    ("ASF_CHUNK_SIZE", "4096.5"),
    ("ASF_CHUNK_SIZE", ""),
    ("ASF_STREAM_SLEEP_INTERVAL", "-1"),
    ("ASF_STREAM_SLEEP_INTERVAL", "nan"),
    ("ASF_STREAM_SLEEP_INTERVAL", "inf"),
    ("ASF_STREAM_SLEEP_INTERVAL", "fast"),
    ("ASF_HOST", ""),
    ("ASF_PORT", "65536"),
    ("ASF_PORT", "-1"),
    ("ASF_PORT", "http"),
    ("ASF_DEBUG_MODE", "perhaps"),
    ("ASF_UI_UPDATES_NAMESPACE", "ui_updates"),
    ("ASF_UI_UPDATES_NAMESPACE", "/a,b"),
    ("ASF_UI_UPDATES_NAMESPACE", "/api/v1/podcasts/stream"),
    ("ASF_AUDIO_ROOTS", ""),
    ("ASF_AUDIO_ROOTS", "/a::/b"),
    ("ASF_CORS_ALLOWED_ORIGINS", "app.example.com"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://a.example/path"),
    ("ASF_CORS_ALLOWED_ORIGINS", "*,https://a.example"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://*.example.com"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://["),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://user@a.example"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://a.example:65536"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://a.example:http"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://a.example https://b.example"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://[::g]"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://[::1"),
    ("ASF_CORS_ALLOWED_ORIGINS", "https://-ü.example"),
    ("ASF_CORS_ALLOWED_ORIGINS", "capacitor://local/host"),
    ("ASF_CORS_ALLOWED_ORIGINS", "app:"),
    ("ASF_MAX_MESSAGE_BYTES", "12"),
    ("ASF_REQUIRE_TOKENS", "sometimes"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "backend.example"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "10.0.0.1/8"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "10.0.0.0/33"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "10.0.0.0/8,"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "none, 10.0.0.0/8"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "none"),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", ""),
    ("ASF_INTERNAL_TRUSTED_NETWORKS", "auto, 10.0.0.0/8"),
    ("ASF_ALLOWED_HOSTS", "asf.internal,"),
    ("ASF_ALLOWED_HOSTS", "asf.internal:5006"),
    ("ASF_ALLOWED_HOSTS", "http://asf.internal"),
    ("ASF_ALLOWED_HOSTS", "*"),
    ("ASF_ALLOWED_HOSTS", "[::1]"),
    ("ASF_ALLOWED_HOSTS", "a b"),
    ("ASF_DATABASE", ""),
    ("ASF_OBJECT_CACHE_BYTES", "1000"),
    ("ASF_JOIN_WAIT_SECONDS", "0"),
    ("ASF_STALL_SECONDS", "x"),
    ("ASF_STALL_GIVE_UP_SECONDS", "inf"),
    ("ASF_SLOW_LISTENER_SECONDS", "0"),
    ("ASF_AHEAD_SECONDS", "-1"),
    ("ASF_AHEAD_SECONDS", "inf"),
    ("ASF_HTTP_PAUSE_SECONDS", "86401"),
    ("ASF_UI_HISTORY_SIZE", "-1"),
    ("ASF_UI_HISTORY_SIZE", "1.5"),
    ("ASF_UI_HISTORY_SECONDS", "nan"),
    ("ASF_UI_HISTORY_SECONDS", "-1"),
    ("ASF_DRAIN_SECONDS", "-1"),
    ("ASF_MAX_LISTENERS", "0"),
    ("ASF_LOG_LEVEL", "verbose"),
    ("ASF_UPLOAD_TO", "disk"),
    ("ASF_UPLOAD_TO", "queue"),
    ("ASF_UPLOAD_MAX_BYTES", "0"),
    ("ASF_UPLOAD_TOTAL_BYTES", "1e9"),
    ("ASF_UPLOAD_KEEP_SECONDS", "-1"),
]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://App.Example.com", "https://app.example.com"),
        ("HTTPS://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        ("https://app.example.com:08443", "https://app.example.com:8443"),
        ("https://app.example.com:", "https://app.example.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://", "ionic://"),
        ("file://", "file://"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ("Safari-Web-Extension://ABCD-EF", "safari-web-extension://ABCD-EF"),
        ("null", "null"),
    ],
)
def test_origins_are_what_browsers_send(written: str, sent: str) -> None:
    """However they are written (RFC 6454, section 6.2). One that is written twice is one."""
    settings = read_settings({"ASF_CORS_ALLOWED_ORIGINS": f"{written}, {sent}"})
    assert settings.cors_allowed_origins == [sent]
    assert settings.allows_origin(sent)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_invalid_value_is_reported_with_the_rule(name: str, value: str) -> None:
    """One line: the variable, the rule, the value."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({name: value})
    (line,) = refusal.value.problems
    assert line.startswith((f"{name} must ", f"{name} needs an ASF_INTERNAL_API_TOKEN "))
    assert f" (got {value!r})." in line
    assert line.endswith(".")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("ASF_CHUNK_SIZE", "0", "must be between 1 and 1048576 (got '0')."),
        ("ASF_PORT", "x", "must be an integer between 0 and 65535 (got 'x')."),
        ("ASF_STALL_SECONDS", "nan", "must be a finite number between 0.1 and 86400 (got 'nan')."),
        ("ASF_DEBUG_MODE", "a", "must be True or False (got 'a')."),
        ("ASF_HOST", "", "must be a host name or an address (got '')."),
        ("ASF_INTERNAL_API_TOKEN", "x", "must be 32 or more printable ASCII characters without spaces."),
        (
            "ASF_SECRET_KEY",
            "key",
            f"must have 32 or more characters when ASF_DEBUG_MODE is False (got 3 characters). {HOW_TO_GENERATE}",
        ),
    ],
)
def test_the_line_has_the_rule_and_the_value(name: str, value: str, line: str) -> None:
    """In this form; a secret is not shown."""
    with pytest.raises(SettingsError) as refusal:
        read_settings(PRODUCTION | {name: value})
    assert refusal.value.problems == [f"{name} {line}"]


def test_defaults_are_in_range() -> None:
    """Each by itself."""
    for setting in SETTINGS:
        setting.read(setting.default)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://:pass@redis.example", "must be a URL such as redis://"),
        ("redis.example:6379", "must be a URL such as redis://"),
        ("redis://:pass@redis.example:x", "must be a URL such as redis://"),
        ("redis://:pass@redis.example?pass=1", "has an option after '?' that"),
        ("redis://:pass@redis.example?protocol=9", "has an option after '?' that"),
        (
            "redis+sentinel://:pass@s1:26379,s2:26379",
            "must list Sentinels and name the master, as in redis+sentinel://",
        ),
        ("redis+sentinel://:pass@s1:26379/0/mymaster", "must list Sentinels and name the master"),
        ("rediss+sentinel://:pa/ss@s1/mymaster", "must list Sentinels and name the master"),
        ("redis+sentinel://:pass@s1/mymaster?socket_timeout=x", "has an option after '?' that"),
        ("redis+sentinel://:pass@s1/mymaster?sentinel_pass=pass", "has an option after '?' that"),
    ],
)
def test_a_wrong_address_of_redis_is_named_without_its_password(url: str, rule: str) -> None:
    """The password may be the right one."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_REDIS_URL": url})
    (line,) = refusal.value.problems
    assert line.startswith(f"ASF_REDIS_URL {rule}")
    assert "pass@" not in line
    assert "pass=" not in line


def test_sentinels_may_name_redis() -> None:
    """Instead of an address of its own."""
    url = "rediss+sentinel://asf:pass@s1.example,s2.example:26380/mymaster/1?sentinel_password=pass&ssl_ca_certs=/ca.pem"
    assert read_settings({"ASF_REDIS_URL": url}).redis_url == url


def test_what_redis_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "redis.connection", None)
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_REDIS_URL": "redis://redis.example"})
    assert refusal.value.problems == [
        "ASF_REDIS_URL needs the extra 'redis': run pip install 'audio-stream-feeder[redis]'."
    ]


def test_what_objects_need_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed. Without buckets it is not needed."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    assert not read_settings({"ASF_S3_BUCKETS": " "}).has_object_stores
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_GS_BUCKETS": "one"})
    assert refusal.value.problems == [
        "ASF_GS_BUCKETS needs the extra 'objects': run pip install 'audio-stream-feeder[objects]'."
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASF_S3_BUCKETS", "s3://one"),
        ("ASF_S3_BUCKETS", "one,,two"),
        ("ASF_S3_BUCKETS", "one/two"),
        ("ASF_GS_BUCKETS", "."),
        ("ASF_AZ_CONTAINERS", "one two"),
        ("ASF_S3_ENDPOINT_URL", "store.example:9000"),
        ("ASF_S3_ENDPOINT_URL", "http://"),
        ("ASF_S3_ENDPOINT_URL", "http://[store"),
        ("ASF_S3_ENDPOINT_URL", "s3://store.example"),
        ("ASF_S3_ENDPOINT_URL", "http://me:secret@store.example"),
    ],
)
def test_invalid_buckets_and_endpoints_are_reported(name: str, value: str) -> None:
    """With the rule, and without credentials."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({name: value})
    (line,) = refusal.value.problems
    assert line.startswith(name)
    assert " must be " in line
    assert "secret" not in line


def test_all_invalid_values_are_reported_at_once() -> None:
    """So that one start finds them all."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_PORT": "x", "ASF_CHUNK_SIZE": "y", "ASF_DEBUG_MODE": "z"})
    assert len(refusal.value.problems) == 3
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_PORT": "x", "ASF_DEBUG_MODE": "False"})
    assert sorted(line.split()[0] for line in refusal.value.problems) == ["ASF_PORT", "ASF_SECRET_KEY"]


def test_production_requires_a_long_secret_and_does_not_show_it() -> None:
    """A secret that is too short is reported, but not repeated."""
    for key in ("", "hunter2"):
        with pytest.raises(SettingsError) as refusal:
            read_settings({"ASF_DEBUG_MODE": "False", "ASF_SECRET_KEY": key})
        (line,) = refusal.value.problems
        assert line.startswith("ASF_SECRET_KEY ")
        assert "hunter2" not in line


GUESSABLE = [
    "a" * 32,
    "changeme" * 4,
    "change-me-change-me-change-me-change-me",
    "changeme1234567890123456789012345678",
    "ab" * 20,
    "abc123XYZ!" * 4,
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef0123456789abcdef",
    "98765432109876543210987654321098",
    "32-or-more-characters-that-nobody-can-guess",
    "another-32-or-more-characters-for-your-backends",
    "your-very-long-random-secret-key-string",
    "passwordpasswordpasswordpassword",
    "PLACEHOLDER_PLACEHOLDER_PLACEHOLDER",
]


@pytest.mark.parametrize("secret", GUESSABLE)
@pytest.mark.parametrize("name", ["ASF_SECRET_KEY", "ASF_INTERNAL_API_TOKEN"])
def test_production_does_not_start_with_a_secret_that_can_be_guessed(name: str, secret: str) -> None:
    """One line, with the command that generates a secret, and without this one."""
    with pytest.raises(SettingsError) as refusal:
        read_settings(PRODUCTION | {name: secret})
    (line,) = refusal.value.problems
    assert line.startswith(f"{name} must not be a placeholder")
    assert "secrets.token_urlsafe(32)" in line
    assert secret not in line
    assert read_settings({"ASF_SECRET_KEY": secret}).secret_key_can_be_guessed


@pytest.mark.parametrize(
    "url",
    [
        "backend.example/events",
        "ftp://backend.example/events",
        "https:///events",
        "https://user:pass@backend.example/events",
        "https://@backend.example/events",
        "https://backend.example:x/events",
        "https://backend.example:0/events",
        "https://backend.example/events#part",
        "https://backend.example/ev ents",
        "https://backend.example/ev\r\nHost: other",
        "https://bücher.example/",
        "https://[::1/",
    ],
)
def test_a_wrong_url_of_webhooks_is_rejected_and_not_shown(url: str) -> None:
    """It may have a secret in its path or query."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_WEBHOOK_URL": url, "ASF_WEBHOOK_SECRET": WEBHOOK_SECRET})
    (line,) = refusal.value.problems
    assert line.startswith("ASF_WEBHOOK_URL must be a URL such as https://")
    assert "got" not in line


@pytest.mark.parametrize(
    "secret",
    [
        "x",
        WEBHOOK_SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_" + b64encode(bytes(23)).decode(),
        "whsec_" + b64encode(bytes(65)).decode(),
        WEBHOOK_SECRET + "!",
        WEBHOOK_SECRET.rstrip("=") + "é",
        f"{WEBHOOK_SECRET} {WEBHOOK_SECRET} {WEBHOOK_SECRET}",
        f"{WEBHOOK_SECRET},{WEBHOOK_SECRET}",
    ],
)
def test_a_wrong_secret_of_webhooks_is_rejected_and_not_shown(secret: str) -> None:
    """The line has the rule only."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_WEBHOOK_SECRET": secret})
    (line,) = refusal.value.problems
    assert line.startswith("ASF_WEBHOOK_SECRET must be whsec_ and the base64 text of 24 to 64 random bytes")
    assert "got" not in line


def test_secrets_of_webhooks() -> None:
    """One, or two while one is replaced; what the command prints is good enough for production."""
    command = shlex.split(GENERATE_WEBHOOK_SECRET.replace("python3", sys.executable, 1))
    generated = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    both = {"ASF_WEBHOOK_URL": "http://localhost/", "ASF_WEBHOOK_SECRET": f"{generated}  {WEBHOOK_SECRET}"}
    assert len(read_settings(PRODUCTION | {"ASF_WEBHOOK_SECRET": generated}).webhook_secret) == 1
    assert read_settings(both).webhook_secret[1] == WEBHOOK_KEY


def test_webhooks_need_a_secret() -> None:
    """They are always signed; in production with one that cannot be guessed."""
    with pytest.raises(SettingsError, match="ASF_WEBHOOK_URL needs an ASF_WEBHOOK_SECRET") as refusal:
        read_settings({"ASF_WEBHOOK_URL": "https://backend.example/"})
    assert str(refusal.value).endswith(f"To generate one: {GENERATE_WEBHOOK_SECRET}")
    weak = "whsec_" + b64encode(bytes(32)).decode()
    assert read_settings({"ASF_WEBHOOK_SECRET": weak}).webhook_secret == [bytes(32)]
    with pytest.raises(SettingsError, match="ASF_WEBHOOK_SECRET must not be a repetition"):
        read_settings(PRODUCTION | {"ASF_WEBHOOK_SECRET": weak})


@pytest.mark.parametrize("seed", range(200))
def test_random_secrets_are_accepted(seed: int) -> None:
    """In Base64, in hexadecimal and decimal digits, as a UUID."""
    source = Random(seed)
    data = source.randbytes(24)
    decimal = "".join(source.choices("0123456789", k=32))
    for secret in (urlsafe_b64encode(data).decode(), data.hex(), decimal, str(UUID(bytes=data[:16]))):
        assert not read_settings(PRODUCTION | {"ASF_SECRET_KEY": secret}).secret_key_can_be_guessed


def test_nobody_is_trusted_by_address_where_there_is_a_token() -> None:
    """In production, unless networks are named."""
    with_token = PRODUCTION | {"ASF_INTERNAL_API_TOKEN": API_TOKEN}
    assert read_settings(with_token).internal_trusted_networks == []
    named = read_settings(with_token | {"ASF_INTERNAL_TRUSTED_NETWORKS": "127.0.0.0/8"})
    assert named.internal_trusted_networks == [ip_network("127.0.0.0/8")]
    assert read_settings({"ASF_INTERNAL_API_TOKEN": API_TOKEN}).internal_api_is_open


def test_production_trusts_this_machine_only() -> None:
    """By default, without a token; in debug mode every address is trusted, and `internal_api_is_open` says so."""
    settings = read_settings(PRODUCTION)
    assert settings.internal_trusted_networks == [ip_network("127.0.0.0/8"), ip_network("::1")]
    assert not settings.internal_api_is_open
    assert read_settings({}).internal_api_is_open
    assert not read_settings({"ASF_INTERNAL_TRUSTED_NETWORKS": "10.0.0.0/8"}).internal_api_is_open


@pytest.mark.parametrize(
    "networks",
    [
        "0.0.0.0/0",
        "0.0.0.0/0,::/0",
        "::/0",
        "10.0.0.0/8,::/0",
        "0.0.0.0/1,128.0.0.0/1",
        "0.0.0.0/1,128.0.0.0/2,192.0.0.0/2,fd00::/8",
        "128.0.0.0/1",
        "8.0.0.0/7",
        "2000::/3",
    ],
)
def test_production_does_not_start_with_an_ineffective_protection(networks: str) -> None:
    """A network of half the world protects nothing, however it is written."""
    with pytest.raises(SettingsError) as refusal:
        read_settings(PRODUCTION | {"ASF_INTERNAL_TRUSTED_NETWORKS": networks})
    (line,) = refusal.value.problems
    assert line == (
        f"ASF_INTERNAL_TRUSTED_NETWORKS is too broad for production (got {networks.replace(',', ', ')}). "
        "List your backends' networks, /8 or narrower."
    )
    assert read_settings({"ASF_INTERNAL_TRUSTED_NETWORKS": networks}).internal_api_is_open


@pytest.mark.parametrize("token", ["hunter2", "h" * 31, "hunter2 " * 8, "hunter2ü" * 8, "hunter2\n" * 8, SECRET_KEY])
def test_a_bad_token_of_the_internal_api_is_rejected_and_not_shown(token: str) -> None:
    """Too short, not valid in a header, or the key that signs other tokens."""
    with pytest.raises(SettingsError) as refusal:
        read_settings(PRODUCTION | {"ASF_INTERNAL_API_TOKEN": token})
    (line,) = refusal.value.problems
    assert line.startswith("ASF_INTERNAL_API_TOKEN ")
    assert token not in line
    assert "hunter2" not in line


@pytest.mark.parametrize("networks", ["none", "", " "])
@pytest.mark.parametrize("mode", [PRODUCTION, {}])
def test_nobody_is_trusted_where_there_is_a_token(networks: str, mode: dict[str, str]) -> None:
    """With `none` or an empty value, in debug mode too, only the token gives access."""
    locked = mode | {"ASF_INTERNAL_API_TOKEN": API_TOKEN, "ASF_INTERNAL_TRUSTED_NETWORKS": networks}
    assert read_settings(locked).internal_trusted_networks == []


def test_no_network_without_a_token_is_an_error() -> None:
    """The line says how to get the default."""
    with pytest.raises(SettingsError) as refusal:
        read_settings({"ASF_INTERNAL_TRUSTED_NETWORKS": ""})
    (line,) = refusal.value.problems
    assert "ASF_INTERNAL_API_TOKEN" in line
    assert line.endswith("set it to auto.")
    for mode in ({}, PRODUCTION):
        default = read_settings(mode | {"ASF_INTERNAL_TRUSTED_NETWORKS": "auto"})
        assert default.internal_trusted_networks == read_settings(mode).internal_trusted_networks


LISTS = ["CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS", "S3_BUCKETS", "GS_BUCKETS", "AZ_CONTAINERS", "WEBHOOK_SECRET"]


@pytest.mark.parametrize("name", [*LISTS, "INTERNAL_TRUSTED_NETWORKS"])
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_value_is_an_empty_list(name: str, text: str) -> None:
    """Of each setting that is a list; only audio roots must have an item."""
    settings = read_settings({"ASF_INTERNAL_API_TOKEN": API_TOKEN, f"ASF_{name}": text})
    assert getattr(settings, name.lower()) == []
    with pytest.raises(SettingsError, match="ASF_AUDIO_ROOTS must name at least one directory"):
        read_settings({"ASF_AUDIO_ROOTS": text})


@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text()))
def test_any_environment_is_read_or_refused(environment: dict[str, str]) -> None:
    """No other exception, whatever the values."""
    with suppress(SettingsError):
        assert 1 <= read_settings(environment).chunk_size <= 1048576


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    """And a missing file is like an empty one."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("ASF_PORT=1\nASF_HOST=127.0.0.1\n# ASF_CHUNK_SIZE=5\nASF_DEBUG_MODE\n")
    assert environment_with_dotenv({"ASF_PORT": "2"}, dotenv) == {"ASF_PORT": "2", "ASF_HOST": "127.0.0.1"}
    assert environment_with_dotenv({"A": "b"}, tmp_path / "missing") == {"A": "b"}


LINKS = {
    "ASF_PORT": "tcp://10.96.0.17:5006",
    "ASF_PORT_5006_TCP": "tcp://10.96.0.17:5006",
    "ASF_PORT_5006_TCP_ADDR": "10.96.0.17",
    "ASF_PORT_5006_TCP_PORT": "5006",
    "ASF_PORT_5006_TCP_PROTO": "tcp",
    "ASF_SERVICE_HOST": "10.96.0.17",
    "ASF_SERVICE_PORT": "5006",
    "ASF_SERVICE_PORT_HTTP": "5006",
    "ASF_REDIS_PORT": "tcp://10.96.0.18:6379",
    "ASF_REDIS_SERVICE_HOST": "10.96.0.18",
}
"""What Kubernetes sets for two Services, `asf` and `asf-redis`."""


def test_service_links_of_kubernetes_are_no_settings() -> None:
    """One warning for all of them, which names the remedy. An invalid port is still invalid."""
    assert read_settings(LINKS).port == 5006
    (warning,) = environment_warnings(LINKS)
    assert warning.startswith("ASF_PORT is ignored")
    assert "enableServiceLinks: false" in warning
    assert list(environment_warnings(LINKS | {"ASF_PORT": "8080"})) == []
    for invalid in ("10.96.0.17:5006", "http://10.96.0.17", "tcp:5006"):
        with pytest.raises(SettingsError, match="ASF_PORT"):
            read_settings({"ASF_PORT": invalid})


def test_a_service_link_does_not_hide_the_file(tmp_path: Path) -> None:
    """Which was written by hand."""
    (tmp_path / ".env").write_text("ASF_PORT=8080\n")
    assert read_settings(environment_with_dotenv({"ASF_PORT": "tcp://10.0.0.1:1"}, tmp_path / ".env")).port == 8080
    alone = environment_with_dotenv({"ASF_PORT": "tcp://10.0.0.1:1"}, tmp_path / "missing")
    assert len(list(environment_warnings(alone))) == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ASF_PROT", "ASF_PORT"),
        ("ASF_MAX_LISTENER", "ASF_MAX_LISTENERS"),
        ("ASF_INTERNAL_TRUSTED_NETWORK", "ASF_INTERNAL_TRUSTED_NETWORKS"),
        ("ASF_AUDIO_ROOT", "ASF_AUDIO_ROOTS"),
        ("asf_debug_mode", "ASF_DEBUG_MODE"),
        ("ASF_SERVICE", None),
        ("ASF_X", None),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_setting(name: str, meant: str | None) -> None:
    """Without its value, which may be a secret."""
    (warning,) = environment_warnings(
        {name: "s3cret", "PATH": "/bin", "TEST_X": "1", "ASF_URL": "u", "ASF_TOKEN": "t"}
    )
    assert warning == f"{name} is not a setting and is ignored." + (f" Did you mean {meant}?" if meant else "")


@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text().filter(lambda text: "://" not in text)))
def test_settings_are_known(environment: dict[str, str]) -> None:
    """None of them looks like something else, whatever its value."""
    assert list(environment_warnings(environment)) == []


def test_the_example_lists_every_setting_with_its_default() -> None:
    """`.env.example` can be copied as it is."""
    example = Path(__file__).parents[2] / ".env.example"
    lines = [line.removeprefix("#") for line in example.read_text().splitlines()]
    listed = dict(line.split("=", 1) for line in lines if line.startswith("ASF_"))
    assert set(listed) == VARIABLES
    unset = read_settings({"ASF_DRAIN_SECONDS": "20"})  # In debug mode it is less unless it is set.
    defaults = asdict(unset) | {"secret_key": "", "secret_key_is_random": False}
    read = asdict(read_settings(listed)) | {"secret_key": "", "secret_key_is_random": False}
    assert read == defaults


@pytest.mark.parametrize(
    ("value", "hint"), [("warn", " Did you mean warning?"), ("inof", " Did you mean info?"), ("7", ""), ("", "")]
)
def test_a_wrong_log_level_is_answered_with_the_nearest(value: str, hint: str) -> None:
    """And with all that there are."""
    with pytest.raises(SettingsError) as raised:
        read_settings({"ASF_LOG_LEVEL": value})
    assert raised.value.problems == [f"ASF_LOG_LEVEL must be debug, info, warning or error (got {value!r}).{hint}"]


@pytest.mark.parametrize(
    ("environment", "is_trial"),
    [
        ({}, True),
        ({"ASF_DEBUG_MODE": "False", "ASF_AUDIO_ROOTS": "/srv/audio", "ASF_DATABASE": "/var/lib/asf/a"}, True),
        ({"ASF_HOST": "0.0.0.0", "ASF_PORT": "5006", "ASF_LOG_LEVEL": "debug"}, True),  # noqa: S104
        ({"ASF_PORT": "tcp://10.96.0.17:5006", "ASF_SERVICE_HOST": "10.96.0.17"}, True),  # set by Kubernetes
        ({"ASF_SECRET_KEY": ""}, True),
        ({"ASF_SECRET_KEY": "x"}, False),
        ({"ASF_REQUIRE_TOKENS": "True"}, False),
        ({"ASF_SECRET_KY": "a mistyped name"}, False),
    ],
)
def test_a_trial_is_for_who_has_set_nothing(environment: dict[str, str], is_trial: bool) -> None:
    """A setting that is wrong, or mistyped, must not open a production server."""
    assert is_configured(environment) is not is_trial


def test_a_trial_trusts_no_address() -> None:
    """Its internal API wants a token that nobody can guess."""
    first, second = (read_settings(trial_environment({"ASF_DEBUG_MODE": "False"})) for _ in range(2))
    assert first.debug_mode
    assert first.internal_api_token != second.internal_api_token
    assert len(first.internal_api_token or "") >= 32
    assert not first.internal_trusted_networks
