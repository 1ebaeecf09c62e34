"""A real container engine: buildah builds deploy/Dockerfile, podman runs it. Both from Debian, as root.

Base images cannot be pulled where there is no registry. Images of the same names stand for them: a Debian that
debootstrap makes, with its own Python, and this machine's Node.js.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.browser.prerequisites import missing
from tests.support.bounds import BUILD_SECONDS, COMMAND_SECONDS
from tests.support.images import instructions_of

PROGRAMS = ("buildah", "debootstrap", "podman", "runc", "npm")
DEBIAN = "bookworm"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
LIMITS = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
"""Higher ones cannot be set where the engine itself runs in a container."""


class ContainerEngine:
    """Keeps its images and containers in a folder of its own. Skips where a program is missing, or without root."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            missing("root", "run the tests as root")
        for program in PROGRAMS:
            if shutil.which(program) is None:
                missing(program, "apt-get install buildah debootstrap podman runc npm")
        self._folder = folder
        self._storage = ["--root", f"{folder}/storage", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]

    def build(self, dockerfile: Path, project: Path, tag: str) -> None:
        """Build an image. Its base images must have been made."""
        mounts = [argument for path in package_sources() for argument in ("-v", f"{path}:{path}:ro")]
        self._buildah(
            "bud", "--isolation", "chroot", "--pull-never", *mounts, "-f", str(dockerfile), "-t", tag, str(project)
        )

    def make_base_images(self, dockerfile: str) -> None:
        """Make what stands for the base images of a Dockerfile."""
        names = {value.partition(" ")[0] for word, value in instructions_of(dockerfile) if word == "FROM"}
        debian = self._folder / "debian"
        _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(debian))
        for program in ("python", "pip"):
            (debian / "usr/local/bin" / program).symlink_to(f"/usr/bin/{program}3")
        container = self._buildah("from", "scratch")
        root = Path(self._buildah("mount", container))
        shutil.copytree(debian, root, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("dev", "proc"))
        for folder in ("dev", "proc"):
            (root / folder).mkdir(exist_ok=True)
        self._buildah("config", "--env", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        # Those of Python first: Node.js comes to the same files afterwards.
        for name in sorted(names, key=lambda one: one.startswith("node:")):
            if name.startswith("node:"):
                _add_node(root)
            self._buildah("commit", "-q", container, f"docker.io/library/{name}")
        self._buildah("rm", container)
        shutil.rmtree(debian)

    def start(self, tag: str, name: str, options: Sequence[str] = (), **settings: str) -> None:
        """Start a container with this machine's network. It stays, when it ends, until it is removed."""
        environment = [argument for key, value in settings.items() for argument in ("-e", f"{key}={value}")]
        self._podman("run", "-d", "--name", name, "--network", "host", *LIMITS, *options, *environment, tag)

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a container, and return what it prints. Fails where the command does."""
        return self._podman("exec", name, *command)

    def stop(self, name: str, seconds: int) -> None:
        """Stop a container, as `docker stop` does."""
        self._podman("stop", "-t", str(seconds), name)

    def exit_code(self, name: str) -> int:
        """Wait for the end of a container, and return its exit code."""
        return int(self._podman("wait", name))

    def inspect(self, name: str) -> Mapping[str, object]:
        """Return what the engine knows of a container."""
        [found] = json.loads(self._podman("inspect", name))
        inspected: Mapping[str, object] = found
        return inspected

    def log(self, name: str) -> str:
        """Return what a container has printed, on standard output and standard error."""
        done = subprocess.run(
            [*self._podman_command(), "logs", name],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
        return done.stdout + done.stderr

    def remove(self, name: str) -> None:
        """End and remove a container with its volumes."""
        self._podman("rm", "-f", "-v", "-t", "0", name)

    def close(self) -> None:
        """Remove all images and containers."""
        self._podman("rm", "-f", "-v", "-a", "-t", "0")
        self._buildah("rm", "-a")
        self._buildah("rmi", "-a", "-f")

    def _podman_command(self) -> list[str]:
        return ["podman", *self._storage, "--runtime", "runc", "--cgroup-manager", "cgroupfs"]

    def _podman(self, *arguments: str) -> str:
        return _run(*self._podman_command(), *arguments)

    def _buildah(self, *arguments: str) -> str:
        return _run("buildah", *self._storage, *arguments)


def package_sources() -> list[str]:
    """Return what pip, npm and apt need of this machine: their settings, certificates, and folders of packages."""
    listed = subprocess.run(
        ["pip", "config", "debug"], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
    ).stdout
    found = re.findall(r"(?m)^ +(/\S+), exists: True", listed)
    values = " ".join(re.findall(r"(?m)^ +(?:PIP_|global\.)\S+?[:=] ?(.*)$", listed))
    found += [
        path.removeprefix("file://").removesuffix("/simple") for path in re.findall(r"(?:file://)?/\S+", values)
    ]
    found += [str(Path.home() / ".npmrc"), "/usr/etc/npmrc", "/etc/apt"]
    return sorted({path for path in found if Path(path).exists()})


def _add_node(root: Path) -> None:
    """Copy this machine's Node.js and npm into an image."""
    for program in ("node", "npm"):
        path = shutil.which(program)
        assert path is not None
        original = Path(path).resolve()
        if program == "node":
            shutil.copy2(original, root / "usr/bin/node")
            continue
        package = next(parent for parent in original.parents if parent.name == "npm")
        shutil.copytree(package, root / "usr/lib/node_modules/npm", symlinks=True)
        (root / "usr/bin/npm").symlink_to(f"../lib/node_modules/npm/{original.relative_to(package)}")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-5000:]}{done.stderr[-5000:]}"
    return done.stdout.strip()
