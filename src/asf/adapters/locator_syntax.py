"""Syntax of locators: paths, `file://`, `s3://`, `gs://`, `az://` and `queue:` (docs/contract.md, section 2).

This is their only parser. It knows the syntax only; the adapter of a scheme decides whether a locator may be read.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from asf.domain.errors import InvalidFilepath
from asf.domain.identifiers import queue_name_problem
from asf.domain.streams.stream import QUEUE_PREFIX

FILE = "file"
"""Scheme of a `file://` URL, and of a plain path."""

QUEUE = "queue"

BUCKET_VARIABLES = {"s3": "ASF_S3_BUCKETS", "gs": "ASF_GS_BUCKETS", "az": "ASF_AZ_CONTAINERS"}
"""The schemes of object stores, with the setting that lists the buckets that may be read."""

MAX_KEY_BYTES = 1024
"""Longest key of an object: the limit of S3 and of Google Cloud Storage."""

SCHEME = re.compile(rf"(?P<url>[a-z][a-z0-9+.-]*)://|(?P<queue>{QUEUE_PREFIX})", re.ASCII | re.IGNORECASE)
OBJECT_URL = re.compile(r"([a-z0-9]+)://([^/]*)/?(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,221}")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ObjectUrl(NamedTuple):
    """The parts of a URL such as `s3://bucket/key`. Nothing in it is percent-decoded."""

    scheme: str
    bucket: str
    key: str

    @property
    def store(self) -> str:
        """The URL of the bucket."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def text(self) -> str:
        """The URL, with its scheme in lower case."""
        return f"{self.store}/{self.key}"


def has_scheme(filepath: str) -> bool:
    """Return whether `filepath` is a URL or a queue, rather than a plain path."""
    return SCHEME.match(filepath) is not None


def scheme_of(filepath: str) -> str:
    """Return the scheme, in lower case: `file` for a plain path."""
    found = SCHEME.match(filepath)
    if found is None:
        return FILE
    return QUEUE if found["queue"] else str(found["url"]).lower()


def path_of(filepath: str) -> str:
    """Return the path that a plain path or a `file://` URL stands for. Raises `InvalidFilepath`."""
    if "://" not in filepath:
        return filepath
    try:
        url = urlsplit(filepath)
    except ValueError as error:
        raise InvalidFilepath(f"It is not a URL: {error}.") from error
    if url.scheme != FILE:
        raise InvalidFilepath(f"'{url.scheme}' is not a known scheme; use a path or a file:// URL.")
    if url.netloc not in {"", "localhost"}:
        raise InvalidFilepath("A file:// URL cannot name another host.")
    return unquote(url.path)


def queue_name_of(filepath: str) -> str:
    """Return the name in `queue:NAME`. Raises `InvalidFilepath`."""
    prefix, name = filepath[: len(QUEUE_PREFIX)], filepath[len(QUEUE_PREFIX) :]
    if prefix.lower() != QUEUE_PREFIX or name.startswith("//"):
        raise InvalidFilepath("A queue is written as queue:NAME.")
    if problem := queue_name_problem(name):
        raise InvalidFilepath(f"The name of the queue is not valid: {problem}")
    return name


def object_url_of(filepath: str) -> ObjectUrl:
    """Return the parts of an object's URL, whose key may still be wrong. Raises `InvalidFilepath`."""
    found = OBJECT_URL.fullmatch(filepath)
    if found is None:
        raise InvalidFilepath("It is not a URL such as s3://bucket/key.")
    scheme, bucket, key = found.groups()
    return ObjectUrl(scheme.lower(), bucket, key)


def is_bucket_name(name: str) -> bool:
    """Return whether `name` can be the name of a bucket or container: without a scheme, a slash or white space."""
    return BUCKET.fullmatch(name) is not None


def key_problem(key: str) -> str | None:
    """Return why `key` cannot be the key of an object, or None."""
    if not key:
        return "It names no object. Use a URL such as s3://bucket/key."
    if CONTROL_CHARACTER.search(key):
        return "The key contains control characters."
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "The key cannot be encoded as UTF-8."
    if length > MAX_KEY_BYTES:
        return f"The key has {length} bytes; at most {MAX_KEY_BYTES} are allowed."
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        return "The key has segments that are empty, '.' or '..'; objects with such keys are not supported."
    return None
