"""Builds the Dockerfile's stages without Docker: each in a folder that becomes its root.

COPY copies, through the rules of .dockerignore; RUN, CMD and HEALTHCHECK run verbatim, at their own
paths, in a chroot of that folder with namespaces of its own for mounts, processes and network. The
base image is played by this machine's Python and system folders, read-only. What a stage did not
copy or make is not there. Needs root and Linux's namespaces; CAN_NOT says what is missing.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.deploy.dockerfile import ROOT, Stage, pairs

SYSTEM = ("usr", "etc", "opt", "bin", "lib", "lib64", "sbin")  # what plays the base image, with /base
BASE_ENV = {"PATH": "/base/bin:/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp"}
RUN_TIMEOUT_S = 900
NAMESPACES = ("unshare", "--mount", "--pid", "--fork")


def why_not() -> str:
    """Why it can't be done on this machine; empty where it can."""
    if os.geteuid() != 0:
        return "needs root, to give each stage a root folder of its own"
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "needs unshare and ip: apt-get install util-linux iproute2"
    tried = subprocess.run([*NAMESPACES, "--net", "true"], capture_output=True, text=True, check=False)
    return f"this machine permits no namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Builder:
    """Builds stages into `folder`, each once. `given`: stages that are made already, name -> their /venv."""

    def __init__(self, folder: Path, stages: Mapping[str, Stage], given: Mapping[str, Path]):
        self.folder = folder
        self.stages = stages
        self.given = given
        self.binds: dict[str, dict[str, Path]] = {}  # stage -> path in it -> folder of this machine
        self.workdirs: dict[str, str] = {}

    def build(self, name: str) -> Path:
        """The root of a stage, after all its instructions."""
        root = self.folder / name
        if name not in self.workdirs:
            self._build(name, self.stages[name], root)
        return root

    def _build(self, name: str, stage: Stage, root: Path) -> None:
        self.binds[name] = {}
        self.workdirs[name] = "/"
        if stage.base in self.stages:
            base = self.build(stage.base)
            shutil.copytree(base, root, symlinks=True, copy_function=os.link)
            self.binds[name] |= self.binds[stage.base]
        else:
            _empty_root(root)
        if name in self.given:
            self.binds[name]["/venv"] = self.given[name]
            return
        for keyword, rest in stage.instructions:
            if keyword == "WORKDIR":
                self.workdirs[name] = rest
                (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif keyword == "COPY":
                self._copy(name, root, rest)
            elif keyword == "RUN":
                self._run(name, root, rest)

    def container(
        self, name: str, command: Sequence[str], writable: Mapping[str, Path], **environ: str
    ) -> list[str]:
        """A command line that runs `command` as a container of that image does: its user, a read-only root,
        a network of its own with nothing but loopback. `writable`: path in it -> folder of this machine."""
        stage = self.stages[name]
        root = self.build(name)
        for path in writable:
            (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        values = {**self._environment(name), **environ}
        script = ["ip link set lo up", *self._mounts(name, root), *_remounted(root, writable)]
        line = f"cd {self.workdirs[name]} && {shlex.join(command)}"
        return _chroot(script, root, values, stage.last("USER"), line, "--net")

    def inside(self, name: str, pid: int, command: Sequence[str]) -> list[str]:
        """A command line that runs `command` in the running container whose first process is `pid`."""
        user, group = self.stages[name].last("USER").split(":")
        environ = [f"{key}={value}" for key, value in self._environment(name).items()]
        enter = ["nsenter", "-t", str(pid), "-m", "-n", "-p", "-r", "-w", "-S", user, "-G", group]
        return [*enter, "/usr/bin/env", "-i", *environ, *command]

    def _environment(self, name: str) -> dict[str, str]:
        return self.stages[name].environment(BASE_ENV)

    def _run(self, name: str, root: Path, line: str) -> None:
        from_outside = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_"))}
        values = from_outside | _arguments(self.stages[name]) | self._environment(name)
        line = f"cd {self.workdirs[name]} && {line}"
        command = _chroot(self._mounts(name, root), root, values, "0:0", line)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{name}: RUN {line}\n{done.stdout}{done.stderr}"

    def _mounts(self, name: str, root: Path) -> list[str]:
        binds = {f"/{each}": Path("/", each) for each in SYSTEM if Path("/", each).is_dir()}
        binds |= {"/dev": Path("/dev"), **self.binds[name]}
        binds = {path: source for path, source in binds.items() if not (root / path.lstrip("/")).is_symlink()}
        if not sys.base_prefix.startswith("/usr"):
            binds[sys.base_prefix] = Path(sys.base_prefix)
        for path in binds:
            (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        lines = [
            f"mount -o bind,{'rw' if path == '/dev' else 'ro'} {shlex.quote(str(source))} {root}{path}"
            for path, source in binds.items()
        ]
        return [f"mount --bind {root} {root}", *lines, f"mount -t proc proc {root}/proc"]

    def _copy(self, name: str, root: Path, rest: str) -> None:
        words = [word for word in rest.split() if not word.startswith("--")]
        options = dict(word[2:].split("=", 1) for word in rest.split() if word.startswith("--"))
        *sources, target = words
        path = str(Path(self.workdirs[name], target))
        place = root / path.lstrip("/")
        for source in sources:
            if "from" in options:
                other = self.build(options["from"])
                if source in self.binds[options["from"]]:
                    self.binds[name][path] = self.binds[options["from"]][source]
                    continue
                found = other / source.lstrip("/")
            else:
                found = ROOT / source
                assert is_let_through(source), f".dockerignore keeps {source} out"
            into = place / found.name if target.endswith("/") else place
            _copied(found, into)
            if "chown" in options:
                subprocess.run(["chown", "-R", options["chown"], str(into)], check=True)


def is_let_through(source: str) -> bool:
    """Whether .dockerignore lets a path of the project into the build. Its form: `*`, then `!folder`."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    return lines[0] == "*" and f"!{source.split('/', maxsplit=1)[0]}" in lines


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy2(source, target)
    else:
        ignore = shutil.ignore_patterns("__pycache__") if source.is_relative_to(ROOT) else None
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignore)


def _empty_root(root: Path) -> None:
    """Links where this machine has links to its system's folders; `python` and `pip` as in the base image."""
    (root / "base" / "bin").mkdir(parents=True)
    for each in (*SYSTEM, "proc", "dev", "tmp"):
        here = Path("/", each)
        if here.is_symlink():
            (root / each).symlink_to(here.readlink())
        else:
            (root / each).mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "base" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    pip = root / "base" / "bin" / "pip"
    pip.write_text('#!/bin/sh\nPYTHONPATH=/base/lib exec python -m pip "$@"\n')
    pip.chmod(0o755)
    import pip as installed

    shutil.copytree(Path(installed.__file__).parent, root / "base" / "lib" / "pip")


def _chroot(
    mounts: list[str], root: Path, values: Mapping[str, str], user: str, line: str, *namespaces: str
) -> list[str]:
    """A command line: new namespaces, then the mounts, then `line` as `user` with `root` for its root."""
    environ = [f"{key}={value}" for key, value in values.items()]
    enter = ["exec", "chroot", f"--userspec={user}", "--groups=", str(root), "/usr/bin/env", "-i", *environ]
    script = "\n".join(["set -e", *mounts, shlex.join([*enter, "/bin/sh", "-c", line])])
    return [*NAMESPACES, *namespaces, "/bin/sh", "-c", script]


def _arguments(stage: Stage) -> dict[str, str]:
    return {key: value for rest in stage.all("ARG") for key, value in pairs(rest).items()}


def _remounted(root: Path, writable: Mapping[str, Path]) -> list[str]:
    """A read-only root, with a fresh /tmp and the writable folders above it."""
    binds = [f"mount --bind {shlex.quote(str(source))} {root}{path}" for path, source in writable.items()]
    return [f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp", *binds, f"mount -o remount,bind,ro {root}"]
