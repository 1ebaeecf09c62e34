"""Images without a container engine: performs a Dockerfile in bubblewrap, on this machine's own programs.

A base image stands for what is installed here: its programs are seen, read-only, in every stage. Everything else of
an image is as its instructions make it, in folders of their own, at the paths where it will be.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from string import Template

from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS, COMMAND_SECONDS, STOP_SECONDS

IS_ROOT = os.geteuid() == 0
BASE_FOLDERS = ("/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr")
"""What a base image brings."""

CAPABILITIES_TO_CHANGE_THE_USER = ("CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID")
INSTALLATION = re.compile(
    r"apt-get update && apt-get install -y --no-install-recommends ([a-z0-9. -]+) && rm -rf /var/lib/apt/lists/\*"
)
"""The step that installs packages of Debian."""

KNOWN = frozenset({"CMD", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"})
"""Instructions that say how a container runs."""


def instructions_of(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions with their values, without comments."""
    parsed = DockerfileParser(fileobj=BytesIO(dockerfile.encode()), env_replace=False).structure
    return [(one["instruction"], one["value"]) for one in parsed if one["instruction"] != "COMMENT"]


def context_of(project: Path) -> set[str]:
    """Return the files and folders that an engine is sent, relative to `project`: what .dockerignore lets through."""
    lines = (project / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    return set(exclude_paths(str(project), patterns))


def sandbox_problem() -> str | None:
    """Return why bubblewrap makes no sandbox here, in one line; None where it does."""
    tried = subprocess.run(["bwrap", *_rights(), "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    return tried.stderr.decode().strip() or None


@dataclass
class Image:
    """What a stage has come to: its files below `root`, and how to run it."""

    root: Path
    has_node: bool = False
    folder: str = "/"
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _search_path()})
    said: dict[str, str] = field(default_factory=dict)
    """Values of the instructions in `KNOWN`, of each the last one."""

    @property
    def command(self) -> list[str]:
        """What it runs. Raises ValueError for what needs a shell."""
        return _exec_form(self.said["CMD"])

    @property
    def health_check(self) -> list[str]:
        """What tells that it lives. Raises ValueError for what needs a shell."""
        _, _, check = self.said["HEALTHCHECK"].partition("CMD ")
        return _exec_form(check)

    def configure(self, instruction: str, value: str) -> None:
        """Take an instruction that changes how it runs. Raises ValueError for one that is not known here."""
        match instruction:
            case "WORKDIR":
                self.folder = str(Path("/", self.folder, value))
                self.inside(".").mkdir(parents=True, exist_ok=True)
            case "ENV":
                for assignment in shlex.split(value):
                    name, _, text = assignment.partition("=")
                    self.environment[name] = Template(text).substitute(self.environment)
            case "USER":
                self.user = value
            case "VOLUME":
                for path in json.loads(value):
                    self.inside(path).mkdir(parents=True, exist_ok=True)
        if instruction not in KNOWN:
            raise ValueError(f"{instruction} is not known here")
        self.said[instruction] = value

    def inside(self, path: str) -> Path:
        """Return where a path of the image is on this machine; a relative one counts from its working directory."""
        return self.root / Path("/", self.folder, path).relative_to("/")


def build(dockerfile: str, project: Path, folder: Path) -> Image:
    """Perform all stages, each in a folder below `folder`, and return the last one.

    Raises ValueError for instructions that are not known here, FileNotFoundError for what is not there to be copied,
    and RuntimeError for steps that fail.
    """
    context = Image(folder / "context")
    for name in sorted(context_of(project)):
        if (project / name).is_file():
            context.inside(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, context.inside(name))
    stages: dict[str, Image] = {}
    image = context
    for instruction, value in instructions_of(dockerfile):
        if instruction == "FROM":
            image = Image(folder / f"stage{len(stages)}", has_node=value.startswith("node:"))
            _make_mount_points(image.root)
            stages[value.partition(" AS ")[2] or str(len(stages))] = image
        elif instruction == "RUN":
            _run_step(image, value)
        elif instruction == "COPY":
            _copy(image, stages, context, value)
        else:
            image.configure(instruction, value)
    return image


@dataclass(frozen=True)
class Volume:
    """A folder of this machine in a container."""

    folder: Path
    writable: bool = False


class Container:
    """How an image runs: as its user, as process 1, without capabilities, its files read-only, /tmp in memory.

    It has this machine's network. `volumes` are named by their paths in the container.
    """

    def __init__(self, image: Image, volumes: Mapping[str, Volume], environment: Mapping[str, str]) -> None:
        self._image = image
        user, group = image.user.split(":")
        for volume in volumes.values():
            if volume.writable and IS_ROOT:
                os.chown(volume.folder, int(user), int(group))
        binds = [
            argument
            for path, volume in volumes.items()
            for argument in ("--bind" if volume.writable else "--ro-bind", str(volume.folder), path)
        ]
        settings = [
            argument
            for name, value in {**image.environment, **environment}.items()
            for argument in ("--setenv", name, value)
        ]
        apart = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--die-with-parent", "--clearenv"]
        self._sandbox = ["bwrap", *_rights(CAPABILITIES_TO_CHANGE_THE_USER), "--ro-bind", str(image.root), "/"]
        self._sandbox += [*_base(), *binds, *apart, *settings, "--chdir", image.folder]
        self._as_user = ["setpriv", "--no-new-privs"]
        if IS_ROOT:
            self._as_user += ["--reuid", user, "--regid", group, "--clear-groups"]
            self._as_user += ["--inh-caps=-all", "--bounding-set=-all"]

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in another container like this one, to its end."""
        arguments = [*self._sandbox, *self._as_user, *command]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)

    def start(self, before: Sequence[str] = ()) -> "RunningContainer":
        """Start the image's own command, by way of `before`."""
        reading, writing = os.pipe()
        arguments = [*self._sandbox, "--info-fd", str(writing), *self._as_user, *before, *self._image.command]
        process = subprocess.Popen(arguments, pass_fds=[writing], stderr=subprocess.PIPE, text=True)
        os.close(writing)
        with os.fdopen(reading) as information:
            return RunningContainer(process, json.load(information)["child-pid"])


class RunningContainer:
    """A container that runs. `pid` is its process 1, as this machine sees it."""

    def __init__(self, process: "subprocess.Popen[str]", pid: int) -> None:
        self._process = process
        self.pid = pid

    def status(self) -> dict[str, str]:
        """Return what the kernel says of process 1 (proc_pid_status(5))."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def send_signal(self, number: signal.Signals) -> None:
        """Send process 1 a signal, as an engine does."""
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> tuple[int, str]:
        """Wait for its end. Returns the exit code, and the log."""
        _, log = self._process.communicate(timeout=seconds)
        return self._process.returncode, log

    def kill(self) -> None:
        """End it, if it has not ended. What bubblewrap would do by itself is undone where the user is changed."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
        self._process.communicate(timeout=STOP_SECONDS)

    def has_ended(self) -> bool:
        """Return whether it runs no more."""
        return self._process.poll() is not None


def _exec_form(value: str) -> list[str]:
    words = json.loads(value)
    if not isinstance(words, list):
        raise TypeError(f"{value} is not a list")
    return words


def _run_step(image: Image, value: str) -> None:
    if installed := INSTALLATION.fullmatch(value):
        _find_packages(installed[1].split())
        return
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("ASF_", "PYTHON", "COV"))}
    here = ["--ro-bind", sys.prefix, sys.prefix]  # its python and pip are those of the base image
    sandbox = [
        "bwrap",
        *_rights(keep_all=True),
        "--bind",
        str(image.root),
        "/",
        *_base(has_node=image.has_node),
        *here,
    ]
    command = ["/bin/sh", "-c", value]
    done = subprocess.run(
        [*sandbox, "--die-with-parent", "--chdir", image.folder, *command],
        env=environment
        | image.environment
        | {"HOME": "/tmp", "PATH": f"{sys.prefix}/bin:{image.environment['PATH']}"},  # noqa: S108
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"RUN {value}\n{done.stdout}{done.stderr}")


def _find_packages(names: Sequence[str]) -> None:
    """Skip the test unless the packages of Debian are installed here: this machine's programs are the image's."""
    found = subprocess.run(["dpkg-query", "--show", *names], capture_output=True, check=False)
    if found.returncode:
        missing(" and ".join(names), f"apt-get install {' '.join(names)}")


def _copy(image: Image, stages: Mapping[str, Image], context: Image, value: str) -> None:
    words = shlex.split(value)
    origin = context
    while words[0].startswith("--"):
        option, _, text = words.pop(0).partition("=")
        if option != "--from":
            raise ValueError(f"COPY {option} is not known here")
        origin = stages[text]
    *sources, destination = words
    for source in sources:
        found = origin.inside(source)
        target = image.inside(destination)
        if found.is_dir():
            shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
        else:
            if len(sources) > 1 or destination.endswith("/"):
                target /= found.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, target)


def _rights(kept: Sequence[str] = (), *, keep_all: bool = False) -> list[str]:
    """Return the options for who is root, and may be another user; without root the sandbox knows one user only."""
    if not IS_ROOT:
        return ["--unshare-user", "--uid", "10001", "--gid", "10001", "--cap-drop", "ALL"]
    if keep_all:
        return []
    return ["--cap-drop", "ALL", *(argument for one in kept for argument in ("--cap-add", one))]


def _base_paths() -> Iterator[str]:
    """Yield what stands for a base image: the folders of programs, and those of Python and npm."""
    yield from (path for path in BASE_FOLDERS if Path(path).is_dir() and not Path(path).is_symlink())
    yield from (str(path) for path in sorted(Path("/opt").iterdir()) if path.name != "asf")
    npm = shutil.which("npm")
    for prefix in (sys.base_prefix, npm and str(Path(npm).parents[1])):
        if prefix and not prefix.startswith("/usr"):
            yield prefix


def _search_path() -> str:
    return ":".join(dict.fromkeys([f"{path}/bin" for path in (sys.base_prefix, "/usr/local", "/usr")] + ["/bin"]))


def _base(*, has_node: bool = False) -> list[str]:
    binds = [argument for path in _base_paths() for argument in ("--ro-bind", path, path)]
    npm = shutil.which("npm")
    if npm is not None and not has_node:
        binds += ["--ro-bind", "/dev/null", str(Path(npm).resolve())]
    return [*binds, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]  # noqa: S108


def _make_mount_points(root: Path) -> None:
    """Make the folders that a read-only root could not get any more."""
    for path in (*_base_paths(), "/dev", "/proc", "/tmp"):  # noqa: S108
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for path in BASE_FOLDERS:
        if Path(path).is_symlink():  # /bin to /usr/bin, where the two are merged
            (root / path.lstrip("/")).symlink_to(Path(path).readlink())
