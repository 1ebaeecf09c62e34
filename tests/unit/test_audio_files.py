"""Files below the audio roots only."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asf.adapters.audio_files import FileAudioSources
from asf.adapters.audio_files.mounts import Mounts
from asf.domain.errors import AudioChanged, AudioUnavailable, InvalidFilepath
from asf.domain.streaming.audio_pool import AudioPool
from asf.domain.streaming.batch_cache import BatchCache
from asf.domain.streaming.pacing import Pace
from asf.domain.streams.stream import AudioStream, FileLocator, StreamState
from tests.contracts.audio_sources import AUDIO, GrowingAudioSourcesContract
from tests.support.threads_runtime import ThreadsRuntime


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an audio root with one file in it, and a secret beside it."""
    root = tmp_path / "root"
    (root / "show").mkdir(parents=True)
    (root / "show" / "one.mp3").write_bytes(AUDIO)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return root


class TestFileAudioSources(GrowingAudioSourcesContract):
    """The contract, on files."""

    @pytest.fixture
    def sources(self, root: Path) -> FileAudioSources:
        return FileAudioSources([root])

    @pytest.fixture
    def path(self, root: Path) -> str:
        return str(root / "show" / "one.mp3")

    @pytest.fixture
    def missing_path(self, root: Path) -> str:
        return str(root / "later.mp3")

    @pytest.fixture
    def forbidden_path(self, root: Path) -> str:
        return str(root.parent / "secret.txt")

    def grow(self, path: str, audio: bytes) -> None:
        size = Path(path).stat().st_size
        with Path(path).open("ab") as file:
            file.write(audio[size:])
            file.truncate(len(audio))

    def rewrite(self, path: str, audio: bytes) -> None:
        Path(path).write_bytes(audio)
        os.utime(path, ns=(1, 1))

    def move(self, path: str) -> None:
        Path(path).rename(f"{path}.moved")


@pytest.mark.parametrize("file_system", ["nfs4", "fuse.sshfs"])
class TestThreadedFileSources(TestFileAudioSources):
    """The same on file systems whose calls may wait, in worker threads."""

    @pytest.fixture
    def sources(self, root: Path, file_system: str) -> FileAudioSources:
        return threaded_sources(root, file_system)


def threaded_sources(root: Path, file_system: str = "nfs4") -> FileAudioSources:
    """Return sources that take the file system of `root` for another one."""
    mounts = Mounts(lambda: {"/": "ext4", str(root): file_system})
    return FileAudioSources([root], ThreadsRuntime(), mounts)


@pytest.mark.parametrize(
    "path",
    [
        "{root}/../secret.txt",
        "{root}/show/../../secret.txt",
        "{root}/link.txt",
        "{root}/up/secret.txt",
        "{root}",
        "{root}/",
        "{root}/.",
        "/etc/passwd",
        "secret.txt",
        "{root}-beside/one.mp3",
        "{root}/one.mp3\0.txt",
        "file://{root}/../secret.txt",
        "file://{root}/%2e%2e/secret.txt",
        "file://elsewhere{root}/show/one.mp3",
        "http://localhost{root}/show/one.mp3",
        "s3://bucket/key",
        "http://[",
        "file://[x",
        "a://]b[",
        "{root}/" + "a/" * 500_000,
        "://",
        "{root}/\ud800",
    ],
)
def test_nothing_outside_the_roots_can_be_located(root: Path, path: str) -> None:
    """Neither with `..` nor by links, nor in any other spelling."""
    (root / "link.txt").symlink_to(root.parent / "secret.txt")
    (root / "up").symlink_to(root.parent)
    with pytest.raises(InvalidFilepath) as refusal:
        FileAudioSources([root]).locate(path.format(root=root))
    assert refusal.value.details


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(["..", ".", "show", "one.mp3", "link.txt", "up", "", "secret.txt", "~", "%2e%2e", "\\.."]),
        max_size=8,
    )
)
def test_no_path_whatever_reads_the_secret(root: Path, parts: list[str]) -> None:
    """Any path from the root is rejected, does not exist, or is the audio."""
    for name, target in (("link.txt", root.parent / "secret.txt"), ("up", root.parent)):
        if not (root / name).is_symlink():
            (root / name).symlink_to(target)
    sources = FileAudioSources([root])
    try:
        source = sources.open(sources.locate("/".join([str(root), *parts])))
    except (InvalidFilepath, AudioUnavailable):
        return
    assert source.read(0, source.size) == AUDIO
    source.close()


def test_a_link_inside_the_roots_is_followed(root: Path) -> None:
    """A link may lead to any file below a root, also below another one."""
    other = root.parent / "other"
    other.mkdir()
    (other / "alias.mp3").symlink_to(root / "show" / "one.mp3")
    sources = FileAudioSources([other, root])
    source = sources.open(sources.locate(str(other / "alias.mp3")))
    assert source.read(0, source.size) == AUDIO
    source.close()


def test_a_root_may_be_a_link_itself(root: Path) -> None:
    """Paths are compared after resolving links."""
    (root.parent / "alias").symlink_to(root)
    sources = FileAudioSources([root.parent / "alias"])
    sources.open(sources.locate(str(root.parent / "alias" / "show" / "one.mp3"))).close()


def test_a_link_that_comes_later_is_caught_when_opening(root: Path) -> None:
    """The file was announced before it existed, and then a link was put there."""
    sources = FileAudioSources([root])
    locator = sources.locate(str(root / "later.mp3"))
    (root / "later.mp3").symlink_to(root.parent / "secret.txt")
    with pytest.raises(AudioUnavailable, match="outside"):
        sources.open(locator)


def test_a_directory_swapped_for_a_link_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even between resolving the path and opening the file."""
    sources = FileAudioSources([root])
    locator = sources.locate(str(root / "show" / "secret.txt"))
    (root / "show" / "one.mp3").unlink()
    (root / "show").rmdir()
    (root / "show").symlink_to(root.parent)
    resolve = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: path if path == locator.text else resolve(path))
    with pytest.raises(AudioUnavailable):
        sources.open(locator)


def test_a_file_url_is_a_path(root: Path) -> None:
    """It is percent-decoded."""
    (root / "fünf & sechs.mp3").write_bytes(AUDIO)
    path = root / "fünf & sechs.mp3"
    assert FileAudioSources([root]).locate("file://" + quote(str(path))) == FileLocator(str(path))


def test_a_relative_path_counts_from_the_working_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the audio roots themselves do."""
    monkeypatch.chdir(root)
    assert FileAudioSources([root]).locate("show/one.mp3") == FileLocator(str(root / "show" / "one.mp3"))


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket"])
def test_only_regular_files_can_be_opened(root: Path, kind: str) -> None:
    """And opening others does not block."""
    path = root / "odd"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        os.mknod(path, 0o140644)
    sources = FileAudioSources([root])
    with pytest.raises(AudioUnavailable):
        sources.open(sources.locate(str(path)))


def test_a_file_that_shrinks_is_an_error_and_not_short(root: Path) -> None:
    """Truncated while it is open."""
    sources = FileAudioSources([root])
    source = sources.open(sources.locate(str(root / "show" / "one.mp3")))
    os.truncate(root / "show" / "one.mp3", 100)
    with pytest.raises(AudioChanged):
        source.read(0, 200)
    source.close()


def test_an_opened_file_outlives_its_name(root: Path) -> None:
    """After it was deleted or replaced, the opened file is read."""
    sources = FileAudioSources([root])
    path = root / "show" / "one.mp3"
    source = sources.open(sources.locate(str(path)))
    (root / "new.mp3").write_bytes(b"other")
    (root / "new.mp3").rename(path)
    assert source.read(0, source.size) == AUDIO
    source.close()


@pytest.mark.parametrize("change", ["overwritten", "appended to"])
def test_a_file_that_is_changed_in_place_is_not_read_on(root: Path, change: str) -> None:
    """No listener gets the beginning of one audio and the end of another."""
    sources = FileAudioSources([root])
    path = root / "show" / "one.mp3"
    source = sources.open(sources.locate(str(path)))
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END if change == "appended to" else os.SEEK_SET)
        file.write(b"other")
    os.utime(path, ns=(1, 1))
    with pytest.raises(AudioUnavailable, match="changed"):
        source.read(0, 10)
    source.close()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_growing_file_that_is_deleted_or_replaced_is_an_error(root: Path, replaced: bool) -> None:
    """Its path now leads to another audio, or to none."""
    sources = FileAudioSources([root])
    path = root / "show" / "one.mp3"
    source = sources.open(sources.locate(str(path)), growing=True)
    if replaced:
        (root / "new.mp3").write_bytes(AUDIO + b"other")
        (root / "new.mp3").rename(path)
    else:
        path.unlink()
    with pytest.raises(AudioChanged, match="replaced"):
        source.refresh()
    assert source.read(0, source.size) == AUDIO
    source.close()


@pytest.mark.parametrize(
    ("beginning", "content_type"),
    [
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "audio/wav"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"fLaC\x00\x00", "audio/flac"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"<html>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_from_the_content_where_the_name_says_nothing(
    root: Path, beginning: bytes, content_type: str
) -> None:
    """By the first bytes of the usual formats."""
    (root / "nameless").write_bytes(beginning and beginning + bytes(300))
    sources = FileAudioSources([root])
    source = sources.open(sources.locate(str(root / "nameless")))
    assert source.content_type == content_type
    source.close()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.mp3", "audio/mpeg"), ("a.WAV", "audio/wav"), ("a.opus", "audio/ogg"), ("a", "application/octet-stream")],
)
def test_the_content_type_follows_from_the_name(root: Path, name: str, content_type: str) -> None:
    """Suffixes count, whatever their case."""
    (root / name).write_bytes(b"x")
    sources = FileAudioSources([root])
    source = sources.open(sources.locate(str(root / name)))
    assert source.content_type == content_type
    source.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("growing", [True, False])
@pytest.mark.parametrize("call", ["open", "fstat", "pread", "stat"])
def test_a_call_that_fails_fails_the_stream_alone_and_loses_no_descriptor(
    root: Path, monkeypatch: pytest.MonkeyPatch, call: str, growing: bool, number: int
) -> None:
    """At opening, at the second call and later on; afterwards the file is read as if nothing had been."""
    sources = FileAudioSources([root])
    locator = sources.locate(str(root / "show" / "one.mp3"))
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    real = getattr(os, call)
    for calls_before in range(6):
        left = [calls_before]

        def failing(*arguments: Any, left: list[int] = left, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(number, os.strerror(number))
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            try:
                source = sources.open(locator, growing=growing)
            except AudioUnavailable:
                continue
            with suppress(AudioUnavailable):
                source.refresh()
                source.read(0, 10)
                source.finalize()
            source.close()
    assert len(list(descriptors.iterdir())) == before
    source = sources.open(locator, growing=growing)
    assert source.read(0, source.size) == AUDIO
    source.close()


@pytest.mark.parametrize("call", ["fstat", "pread", "stat"])
def test_growing_audio_that_fails_at_once_is_closed(root: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """However often listeners try: opening it succeeds, and the first look at its length does not."""
    path = root / "show" / "one.mp3"
    pool = AudioPool(FileAudioSources([root]), BatchCache(Pace(1024, 1.0)))
    stream = AudioStream("a", FileLocator(str(path)), StreamState.GENERATING, "e")
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    real = getattr(os, call)
    for calls_before in range(4):
        left = [calls_before]

        def failing(*arguments: Any, left: list[int] = left, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            with suppress(AudioUnavailable):
                pool.release(pool.acquire(stream))
    assert len(list(descriptors.iterdir())) == before


def test_a_reserved_directory_cannot_be_announced(tmp_path: Path) -> None:
    """Nor through a link, nor as a root that is opened; its neighbours can."""
    root = tmp_path / "audio"
    (root / "uploads").mkdir(parents=True)
    (root / "uploads" / "a.mp3").write_bytes(b"x")
    (root / "uploads-2").mkdir()
    (root / "link").symlink_to(root / "uploads")
    sources = FileAudioSources([root], reserved=root / "uploads")
    for path in (root / "uploads" / "a.mp3", root / "link" / "a.mp3", root / "uploads" / "new.mp3"):
        with pytest.raises(InvalidFilepath, match="uploaded"):
            sources.locate(str(path))
    assert sources.locate(str(root / "uploads-2" / "a.mp3")).text == str(root / "uploads-2" / "a.mp3")
    outside = FileAudioSources([tmp_path / "other"], reserved=root / "uploads")
    with pytest.raises(AudioUnavailable):
        outside.open(FileLocator(str(root / "uploads" / "a.mp3")))
