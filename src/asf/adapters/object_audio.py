"""Audio from object stores: Amazon S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage.

Objects are read in blocks, each pinned to the ETag that the object had when it was opened, so that one that is
replaced meanwhile is never mixed. All listeners share the blocks. Nothing here waits for a store but `open`.
"""

import logging
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from asf.domain.errors import AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.audio import UNKNOWN_CONTENT_TYPE
from asf.domain.streams.stream import AudioEnding, Locator, ObjectLocator

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

BLOCK_BYTES = 512 * 1024
"""How much is read at once."""

DEFAULT_CACHE_BYTES = 64 * 1024 * 1024

MAX_FETCHES = 12
MAX_LOOKS = 8
"""How many blocks are read, and how many objects are looked up, at a time. Together they are no more than the threads
that eventlet has for such work, so that neither keeps the other waiting."""

TRYING_SECONDS = 10
"""For how long a request to a store is tried again, and how long one attempt may take."""

WAITING_SECONDS = 10.0
"""How long a request may wait for others to end before it is given up."""

OPENING_SECONDS = 2 * TRYING_SECONDS + WAITING_SECONDS
"""How long opening an object may take in all: an attempt may begin when the trying is nearly over."""

FAILURE_SECONDS = 1.0
"""For how long a block cannot be had once reading it has failed, so that all who wait for it hear that."""

SNIFFED_BYTES = 1024
"""How much of an object is looked at where neither its key nor its store tells its type."""

PROBE_SECONDS = 10.0
"""How often the stores are asked whether they can be reached, at most."""

FIRST_PROBE_SECONDS = 1.0
"""How long the answer is waited for, as long as there has been none."""

PROBED_KEY = "asf-readiness"
"""An object that need not exist."""

MAX_KEY_BYTES = 1024
"""Longest key, as S3 and Google Cloud Storage have it."""

VARIABLES = {"s3": "ASF_S3_BUCKETS", "gs": "ASF_GS_BUCKETS", "az": "ASF_AZ_CONTAINERS"}
"""The setting of each scheme that says which buckets may be read."""

URL = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<bucket>[^/]*)/?(?P<key>.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
ERROR_CODE = re.compile(r"<Code>(\w{1,100})</Code>")
CREDENTIAL_CODES = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}
"""What S3 says of wrong credentials. Any other refusal may be of the one object only."""

logger = logging.getLogger(__name__)

MediaTypeOf = Callable[[str, bytes], str | None]
"""Tells the media type of audio by its name, or else by its first bytes, each of which may be empty."""

Begin = Callable[[Callable[[], None], Callable[[], None]], None]
"""Has its first argument called where waiting is allowed, and then the second one where everything else is."""


class WrongConfiguration(Exception):
    """What the settings and the environment say of a store makes no sense. The text names the setting."""


def stores(
    s3_buckets: Iterable[str], gs_buckets: Iterable[str], az_containers: Iterable[str], s3_endpoint_url: str
) -> dict[str, "ObjectStore"]:
    """Return the stores by the beginning of their objects' URLs, such as `s3://bucket`.

    Credentials come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`), or from the machine's own role. Without an
    `s3_endpoint_url` S3 is Amazon's, unless `AWS_ENDPOINT_URL` says otherwise. Raises `WrongConfiguration`.
    """
    client: ClientConfig = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=TRYING_SECONDS)}
    retries: RetryConfig = {
        "max_retries": 50,  # The time counts.
        "retry_timeout": timedelta(seconds=TRYING_SECONDS),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 2,
        },
    }
    s3_client = client.copy()
    s3_config: S3Config = {}
    if s3_endpoint_url:
        s3_config["endpoint"] = s3_endpoint_url
        s3_client["allow_http"] = s3_endpoint_url.startswith("http:")
    kinds: dict[str, tuple[Iterable[str], Callable[[str], ObjectStore]]] = {
        "s3": (
            s3_buckets,
            lambda name: S3Store(name, config=s3_config, client_options=s3_client, retry_config=retries),
        ),
        "gs": (gs_buckets, lambda name: GCSStore(name, client_options=client, retry_config=retries)),
        "az": (az_containers, lambda name: AzureStore(name, client_options=client, retry_config=retries)),
    }
    found = {}
    for scheme, (names, make) in kinds.items():
        for name in names:
            try:
                found[f"{scheme}://{name}"] = make(name)
            except (BaseError, ValueError) as error:
                raise WrongConfiguration(f"{VARIABLES[scheme]}={name} {_in_one_line(error)}") from error
    return found


@dataclass(frozen=True, slots=True)
class _Object:
    """One object as it was found: its bytes are those of the `etag`, or it is another one."""

    store: "ObjectStore"
    url: str
    key: str
    etag: str
    size: int
    content_type: str

    @property
    def identity(self) -> Hashable:
        return (self.url, self.etag, self.size)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`, which takes time. Raises what the library does, and our errors."""
        answer = obstore.get(self.store, self.key, options={"if_match": self.etag, "range": (start, stop)})
        # Not every store heeds the condition.
        if (answer.meta["e_tag"], answer.meta["size"]) != (self.etag, self.size):
            raise AudioChanged("The object was replaced while it was streamed.")
        data = bytes(answer.bytes())
        if len(data) != stop - start:
            raise AudioUnavailable("The object store sent less than it was asked for.")
        return data


class _Job:
    """Something asked of a store. `run` is called where waiting is allowed, `end` in any case, and after it.

    `error` says why it came to nothing, and `cause` what the store said, for the log.
    """

    def __init__(self, url: str, asked_at: float) -> None:
        self.url = url
        self.asked_at = asked_at
        self.error: AudioUnavailable | None = None
        self.cause = ""

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return True

    def run(self) -> None:
        """Do it. Raises nothing."""
        try:
            self.ask()
        except AudioUnavailable as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - whatever the library raises, nobody may wait for ever
            self.error = _translated(error)
            self.cause = _in_one_line(error)

    def ask(self) -> None:
        """Ask the store."""
        raise NotImplementedError

    def end(self) -> None:
        """Take note of what has come of it."""
        raise NotImplementedError


class _Turns:
    """Lets at most so many jobs be done at a time; the others have their turns later, if that is soon enough."""

    def __init__(self, begin: Begin, at_most: int, now: Callable[[], float]) -> None:
        self._begin = begin
        self._at_most = at_most
        self._now = now
        self._waiting: deque[_Job] = deque()
        self._under_way = 0

    @property
    def are_taken(self) -> bool:
        """Whether another job would have to wait."""
        return self._under_way >= self._at_most

    def add(self, job: _Job) -> None:
        """Let `job` have its turn."""
        self._waiting.append(job)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self.are_taken:
            job = self._waiting.popleft()
            if not job.is_wanted:
                job.error = AudioUnavailable("Nobody wants it any more.")
                job.end()
            elif self._now() - job.asked_at > WAITING_SECONDS:
                job.error = AudioUnavailable("The object store takes too long.")
                job.end()
            else:
                self._under_way += 1
                self._begin(job.run, partial(self._end, job))

    def _end(self, job: _Job) -> None:
        self._under_way -= 1
        if job.cause:
            logger.warning("%s: %s", job.url, job.cause)
        self._go_on()
        job.end()


class _Fetch(_Job):
    """A block that is being read, and the sources that have asked for it."""

    def __init__(
        self, audio: _Object, number: int, asked_at: float, on_end: "Callable[[_Fetch], None]", *, ahead: bool
    ) -> None:
        super().__init__(audio.url, asked_at)
        self.key = (audio.identity, number)
        self.wanted_by: dict[ObjectAudioSource, None] = {}
        self.data: bytes | None = None
        self._audio = audio
        self._start = number * BLOCK_BYTES
        self._on_end = on_end
        self._ahead = ahead

    @property
    def is_wanted(self) -> bool:
        return self._ahead or bool(self.wanted_by)

    def ask(self) -> None:
        self.data = self._audio.read(self._start, min(self._start + BLOCK_BYTES, self._audio.size))

    def end(self) -> None:
        self._on_end(self)


class _Blocks:
    """The blocks of all objects: each is read once for all who want it, and those used lately are kept."""

    def __init__(self, turns: _Turns, max_bytes: int, now: Callable[[], float]) -> None:
        self._turns = turns
        self._max_bytes = max_bytes
        self._now = now
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._fetches: dict[Hashable, _Fetch] = {}
        # Those that failed first come first.
        self._failures: OrderedDict[Hashable, tuple[float, AudioUnavailable]] = OrderedDict()

    def get(self, source: "ObjectAudioSource", number: int) -> bytes | None:
        """Return a block of the source's object, or None; then the source is told as soon as that may be otherwise.

        Raises `AudioUnavailable` where it could not be had just now.
        """
        key = (source.identity, number)
        block = self._kept.get(key)
        if block is not None:
            self._kept.move_to_end(key)
            return block
        self._forget_failures()
        if key in self._failures:
            raise self._failures[key][1].with_traceback(None)
        fetch = self._fetches.get(key)
        if fetch is not None:
            fetch.wanted_by[source] = None
            return None
        fetch = self._fetches[key] = _Fetch(source.audio, number, self._now(), self._end, ahead=False)
        fetch.wanted_by[source] = None
        self._turns.add(fetch)
        return None

    def read_ahead(self, source: "ObjectAudioSource", number: int) -> None:
        """Let a block be there by the time that it is wanted, unless there is more urgent work."""
        key = (source.identity, number)
        if key not in self._kept and key not in self._fetches and not self._turns.are_taken:
            fetch = self._fetches[key] = _Fetch(source.audio, number, self._now(), self._end, ahead=True)
            self._turns.add(fetch)

    def forget(self, source: "ObjectAudioSource") -> None:
        """Take note that the source wants nothing any more."""
        for fetch in self._fetches.values():
            fetch.wanted_by.pop(source, None)

    def _end(self, fetch: _Fetch) -> None:
        del self._fetches[fetch.key]
        if fetch.data is not None:
            self._keep(fetch.key, fetch.data)
        elif fetch.error is not None and fetch.wanted_by:
            self._failures[fetch.key] = (self._now(), fetch.error)
        for source in fetch.wanted_by:
            source.on_arrival()

    def _keep(self, key: Hashable, data: bytes) -> None:
        self._kept[key] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > self._max_bytes:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])

    def _forget_failures(self) -> None:
        while self._failures:
            key, (failed_at, _error) = next(iter(self._failures.items()))
            if self._now() - failed_at < FAILURE_SECONDS:
                return
            del self._failures[key]


class ObjectAudioSource:
    """One opened object: implements the `AudioSource` port. It is whole from the beginning."""

    ending: AudioEnding | None = None

    def __init__(self, audio: _Object, blocks: _Blocks) -> None:
        self.audio = audio
        self.size = audio.size
        self.content_type = audio.content_type
        self.identity = audio.identity
        self.on_arrival: Callable[[], None] = _nobody_waits
        self._blocks: _Blocks | None = blocks

    def read(self, offset: int, length: int) -> bytes | None:
        """Return the bytes, or None while they are read from the store. Raises `AudioUnavailable`, `AudioChanged`."""
        if self._blocks is None:
            raise AudioUnavailable("It is closed.")
        stop = offset + length
        if stop > self.size:
            raise AudioUnavailable(f"The object ends at byte {self.size}.")
        parts = []
        is_there = True
        for number in range(offset // BLOCK_BYTES, -(-stop // BLOCK_BYTES)):
            block = self._blocks.get(self, number)
            if block is None:
                is_there = False
                continue
            start = number * BLOCK_BYTES
            parts.append(block[max(0, offset - start) : stop - start])
        following = (stop + BLOCK_BYTES // 2) // BLOCK_BYTES
        if following * BLOCK_BYTES >= stop and following * BLOCK_BYTES < self.size:  # In the second half of a block.
            self._blocks.read_ahead(self, following)
        return b"".join(parts) if is_there else None

    def refresh(self) -> int:
        """Return the size: an object does not grow."""
        return self.size

    def finalize(self) -> int:
        """Do as `refresh`."""
        return self.size

    def close(self) -> None:
        """Want nothing any more. What is being read may be kept for others."""
        if self._blocks is not None:
            self._blocks.forget(self)
            self._blocks = None


class _Look(_Job):
    """A look at an object, for all who want to open it meanwhile."""

    def __init__(
        self,
        store: "ObjectStore",
        url: str,
        key: str,
        asked_at: float,
        media_type_of: MediaTypeOf,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(url, asked_at)
        self._media_type_of = media_type_of
        self.ended = threading.Event()
        self.found: _Object | None = None
        self._store = store
        self._key = key
        self._on_end = on_end

    def ask(self) -> None:
        answer = obstore.get(self._store, self._key, options={"head": True})
        etag, size = answer.meta["e_tag"], answer.meta["size"]
        if etag is None:
            raise AudioUnavailable("The object store gives no ETag: what it sends could belong to another object.")
        told = str(answer.attributes.get("Content-Type", ""))
        content_type = self._media_type_of(self._key, b"") or (told if told.startswith("audio/") else None)
        found = _Object(self._store, self.url, self._key, etag, size, content_type or UNKNOWN_CONTENT_TYPE)
        if content_type is None and size:
            sniffed = self._media_type_of("", found.read(0, min(size, SNIFFED_BYTES)))
            found = _Object(self._store, self.url, self._key, etag, size, sniffed or UNKNOWN_CONTENT_TYPE)
        self.found = found

    def end(self) -> None:
        self._on_end()
        self.ended.set()


class _Probe(_Job):
    """A question whether a store can be reached."""

    def __init__(self, store: "ObjectStore", url: str, asked_at: float) -> None:
        super().__init__(url, asked_at)
        self.ended = threading.Event()
        self.problem: str | None = None
        self._store = store

    def ask(self) -> None:
        try:
            obstore.get(self._store, PROBED_KEY, options={"head": False, "range": (0, 1)})
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                self.problem = "There is no such bucket."
        except (PermissionDeniedError, UnauthenticatedError) as error:
            code = ERROR_CODE.search(str(error))
            if code is not None and code[1] in CREDENTIAL_CODES:
                self.problem = f"The object store refuses the credentials ({code[1]})."

    def end(self) -> None:
        if self.error is not None:
            self.problem = self.error.details
        self.ended.set()


class ObjectAudioSources:
    """Objects in `stores`, by the beginning of their URLs: implements the `AudioSources` port.

    `begin` has work done where waiting is allowed; there `media_type_of` is called, too. Blocks of `max_bytes` are
    kept, of all objects together; those unused for longest go first. While listeners are at more places than that, a
    block is read again for nearly every piece of it.
    """

    def __init__(
        self,
        stores: Mapping[str, "ObjectStore"],
        begin: Begin,
        media_type_of: MediaTypeOf,
        max_bytes: int = DEFAULT_CACHE_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = dict(stores)
        self._begin = begin
        self._media_type_of = media_type_of
        self._now = now
        self._blocks = _Blocks(_Turns(begin, MAX_FETCHES, now), max_bytes, now)
        self._look_turns = _Turns(begin, MAX_LOOKS, now)
        self._looks: dict[str, _Look] = {}
        self._probes: dict[str, _Probe] = {}
        self._answers: dict[str, _Probe] = {}

    def unreachable(self) -> dict[str, str]:
        """Return the stores that could not be reached when they were asked last, and why.

        They are asked in the background, and not again and again. Only the first answer is waited for, and not long.
        """
        now = self._now()
        for url, store in self._stores.items():
            answer = self._answers.get(url)
            if url not in self._probes and (answer is None or now - answer.asked_at >= PROBE_SECONDS):
                self._probes[url] = probe = _Probe(store, url, now)
                self._begin(probe.run, partial(self._probed, probe))
        for url, probe in list(self._probes.items()):
            if url not in self._answers:
                probe.ended.wait(max(0.0, now + FIRST_PROBE_SECONDS - self._now()))
        problems = {}
        for url in self._stores:
            answer = self._answers.get(url)
            problem = "It has not answered yet." if answer is None else answer.problem
            if problem is not None:
                problems[url] = problem
        return problems

    def locate(self, filepath: str) -> Locator:
        """Return the object's URL. Nothing in it is percent-decoded. Raises `InvalidFilepath`."""
        scheme, bucket, key = _parts_of(filepath)
        if f"{scheme}://{bucket}" not in self._stores:
            variable = VARIABLES.get(scheme)
            raise InvalidFilepath(f"'{scheme}://{bucket}' may not be read: it is not in {variable}.")
        if problem := _key_problem(key):
            raise InvalidFilepath(problem)
        return ObjectLocator(f"{scheme}://{bucket}/{key}")

    def content_type_of(self, locator: Locator) -> str | None:
        """Return the media type that the object's key tells, or None."""
        return self._media_type_of(locator.text, b"")

    def open(self, locator: Locator, *, growing: bool = False) -> ObjectAudioSource:
        """Look the object up, while others have their turns. Raises `AudioUnavailable`: no object is `growing`."""
        if growing:
            raise AudioUnavailable("An object does not grow.")
        url = locator.text
        look = self._looks.get(url)
        if look is None:
            scheme, bucket, key = _parts_of(url)
            store = self._stores.get(f"{scheme}://{bucket}")
            if store is None:
                raise AudioUnavailable(f"'{scheme}://{bucket}' may not be read (any more).")
            look = self._looks[url] = _Look(
                store, url, key, self._now(), self._media_type_of, partial(self._looked, url)
            )
            self._look_turns.add(look)
        if not look.ended.wait(OPENING_SECONDS):
            raise AudioUnavailable("The object store takes too long.")
        if look.found is None:
            raise AudioUnavailable(look.error.details if look.error else None)
        return ObjectAudioSource(look.found, self._blocks)

    def _looked(self, url: str) -> None:
        del self._looks[url]

    def _probed(self, probe: _Probe) -> None:
        if probe.cause:
            logger.warning("%s: %s", probe.url, probe.cause)
        del self._probes[probe.url]
        self._answers[probe.url] = probe
        probe.end()


def _parts_of(url: str) -> tuple[str, str, str]:
    """Return the scheme, the bucket and the key. Raises `InvalidFilepath`."""
    found = URL.fullmatch(url)
    if found is None:
        raise InvalidFilepath("It is not a URL such as s3://bucket/key.")
    return found["scheme"].lower(), found["bucket"], found["key"]


def _key_problem(key: str) -> str | None:
    """Return why no object can be meant by `key`, or None."""
    if not key:
        return "It names no object: a URL such as s3://bucket/key does."
    if CONTROL_CHARACTER.search(key):
        return "The key contains control characters."
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "The key cannot be encoded."
    if length > MAX_KEY_BYTES:
        return f"The key has {length} bytes; at most {MAX_KEY_BYTES} are allowed."
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        return "The key has parts that are empty, '.' or '..'; objects with such keys are not supported."
    return None


def _translated(error: Exception) -> AudioUnavailable:
    match error:
        case PreconditionError():
            return AudioChanged("The object was replaced while it was streamed.")
        case FileNotFoundError():
            return AudioUnavailable("There is no such object.")
        case PermissionDeniedError() | UnauthenticatedError():
            return AudioUnavailable("The object store refuses access.")
        case BaseError():
            return AudioUnavailable("The object store fails, or cannot be reached.")
        case _:
            return AudioUnavailable("The object store cannot be read from.")


def _in_one_line(error: Exception) -> str:
    """Return what the library says, and the store's code of it. What else a store says may quote credentials."""
    text = str(error)
    code = ERROR_CODE.search(text)
    line = text.partition("\n")[0].partition("<")[0].rstrip(" :")
    return f"{type(error).__name__}: {line}" + (f" ({code[1]})" if code else "")


def _nobody_waits() -> None:
    pass
