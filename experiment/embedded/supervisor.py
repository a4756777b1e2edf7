"""Model servers on this machine, for people who have none: start, watch, restart, stop.

Each one is a child process `python -m serving`, pinned to its cores, and is spoken to
over the network like any other server. Their state goes to a JSON file, so that other
processes (the web app, a command line beside it) can use them and see what happened.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any, Protocol

from common.addresses import free_port
from experiment.backends.addresses import over_rest
from experiment.backends.probe import probe
from experiment.backends.replicas import as_one
from experiment.codec import from_dict, to_dict
from experiment.embedded.cores import cores_for_one_more, share_of_each, share_out
from experiment.embedded.model import model_in
from experiment.embedded.profiles import PROFILES, Profile, alike
from experiment.errors import EmbeddedFailed
from experiment.records import BackendInfo
from experiment.wording import runtime_words

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 8.0
WATCH_INTERVAL_S = 0.25
HANG_CHECK_S = 10.0  # how often a ready server is asked whether it still answers
SILENT_CHECKS = 3  # without an answer, then it is restarted
NO_DEVICE = "no NVIDIA device on this machine"  # as --list_devices of the server says it
HOPELESS = {"down", "wrong_model", "wrong_signature"}  # waiting longer for one would not make it ready
RESTARTS_IN_A_ROW = 5  # then it stays down: something is wrong that a restart won't mend


class EmbeddedServer:
    """One child process, and its state as a BackendInfo."""

    def __init__(self, profile: Profile, cores: tuple[int, ...], model: Mapping[str, Any], log_path: Path):
        self._profile = profile
        self._model = model_in(profile.model) if profile.model else model
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._failures_in_a_row = 0
        self._was_ready = False
        self._silent_checks = 0
        self._next_check = 0.0
        self.restarts = 0
        self.rest_port = free_port()
        self.info = BackendInfo(
            name=profile.name,
            address=f"127.0.0.1:{free_port()}",
            model=str(self._model["name"]),
            device=profile.device,
            cpus=profile.cpus,
            cores=cores,
            embedded=True,
            price_per_hour=profile.price_per_hour,
            state="loading",
            detail="Starting.",
        )

    @property
    def pid(self) -> int | None:
        """Process id; None if it has not been started or stays down."""
        return self._process.pid if self._process else None

    def prepares(self, detail: str) -> None:
        """Say what has to be done before it can be started."""
        self.info = replace(self.info, detail=detail)

    def start(self) -> None:
        """Start the child process; it is not ready yet when this returns."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("ab")
        self._process = subprocess.Popen(
            self.command(), stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, cwd=ROOT
        )

    def look(self) -> None:
        """Bring `info` up to date; restart the process if it has ended."""
        if self._process is None:
            return
        exit_code = self._process.poll()
        if exit_code is not None:
            self._restart(exit_code)
        elif self.info.state != "ready":
            self._ask()
        elif time.monotonic() >= self._next_check:
            self._check_answers()

    def stop(self) -> None:
        """Ask it to end; the caller waits with `ended`."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def ended(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic seconds), then kill."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._log:
            self._log.close()

    def command(self) -> list[str]:
        """The command line: `python -m serving` with the profile's options."""
        info = self.info
        return [
            *(sys.executable, "-m", "serving", "--host", "127.0.0.1"),
            *("--port", info.address.rpartition(":")[2], "--rest_api_port", str(self.rest_port)),
            *("--model_name", info.model, "--model_base_path", str(self._model["base_path"])),
            *("--cores", ",".join(map(str, info.cores or ())), "--device", info.device.lower()),
            *_asked_for(self._profile),
            "--exit_with_parent",
        ]

    def last_words(self) -> str:
        """The last line of its log: a server that refuses to start says why there."""
        lines = self._log_path.read_text("utf-8", "replace").splitlines()
        return lines[-1] if lines else "it said nothing."

    def _ask(self) -> None:
        answer = probe(self.info, timeout_s=2.0)
        if answer.state == "ready":
            self._failures_in_a_row, self._was_ready = 0, True
            self._next_check = time.monotonic() + HANG_CHECK_S
            self.info = answer
        elif self.info.state == "loading" and answer.state not in {"down", "loading"}:
            self.info = answer

    def _check_answers(self) -> None:
        """A process that lives but does not answer is ended; then it is restarted like any other."""
        self._next_check = time.monotonic() + HANG_CHECK_S
        answers = probe(self.info, timeout_s=2.0).state == "ready"
        self._silent_checks = 0 if answers else self._silent_checks + 1
        if self._silent_checks >= SILENT_CHECKS and self._process:
            self._silent_checks = 0
            self._process.kill()

    def _restart(self, exit_code: int) -> None:
        self._failures_in_a_row += 1
        cause = f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
        refused = exit_code > 0 and not self._was_ready  # a restart would be refused again
        if refused or self._failures_in_a_row > RESTARTS_IN_A_ROW:
            self._process = None
            detail = f"The embedded server ended ({cause}): {self.last_words()} Its log is {self._log_path}."
            self.info = replace(self.info, state="down", detail=detail)
            return
        self.restarts += 1
        detail = f"The embedded server had ended ({cause}); it was restarted and is loading its model."
        self.info = replace(self.info, state="loading", detail=detail)
        if self._log:
            self._log.close()
        self.start()


class EmbeddedBackend:
    """The server of one profile, or its servers if it has replicas."""

    def __init__(self, profile: Profile, cores: tuple[int, ...], model: Mapping[str, Any], log_dir: Path):
        self.name = profile.name
        self._whole: dict[str, Any] = {"cpus": profile.cores_wanted, "cores": cores}  # what all share
        shares = share_of_each(cores, profile.cpus, profile.replicas)
        numbers = [f".{number}" for number in range(1, len(shares) + 1)] if len(shares) > 1 else [""]
        self.servers = [
            EmbeddedServer(profile, share, model, log_dir / f"serving-{alike(profile.name)}{number}.log")
            for share, number in zip(shares, numbers, strict=True)
        ]

    def info(self) -> BackendInfo:
        """The backend over gRPC. With replicas, it is ready as soon as one of them is."""
        info = self._together([server.info for server in self.servers])
        return replace(info, detail=_hardware(info)) if info.state == "ready" else info

    def rest_info(self) -> BackendInfo:
        """The same over REST."""
        twins = [over_rest(server.info, f"127.0.0.1:{server.rest_port}") for server in self.servers]
        return self._together(twins)

    def processes(self) -> dict[str, Any]:
        """Process id, or those of the replicas, and how often one was restarted."""
        pids = [server.pid for server in self.servers]
        ids = {"pids": pids} if len(pids) > 1 else {"pid": pids[0]}
        return ids | {"restarts": sum(server.restarts for server in self.servers)}

    def not_ready(self) -> BackendInfo | None:
        """The first server that is not ready; None when all are."""
        return next((server.info for server in self.servers if server.info.state != "ready"), None)

    def _together(self, infos: Sequence[BackendInfo]) -> BackendInfo:
        return replace(as_one(infos), **self._whole)


class Further(Protocol):
    """Adds backends to those that run, and removes them again: more_models.py."""

    def look(self, servers: EmbeddedServers) -> None:
        """Do what is due now. Called several times a second."""

    def rows(self) -> list[dict[str, Any]]:
        """What could be added, for the state file."""

    def stop(self) -> None:
        """End what is being prepared."""


class EmbeddedServers:
    """All embedded backends of this machine. Use as a context manager."""

    def __init__(
        self,
        data_dir: Path,
        model: Mapping[str, Any],
        profiles: Sequence[Profile] = PROFILES,
        further: Further | None = None,
    ):
        self.model = model
        self._further = further
        self._log_dir = data_dir / "logs"
        self._profiles = profiles
        self.state_path = data_dir / "embedded.json"
        self._absent = _absent(profiles, model)
        absent = {info.name for info in self._absent}
        present = [profile for profile in profiles if profile.name not in absent]
        shares = share_out([profile.cores_wanted for profile in present], sorted(os.sched_getaffinity(0)))
        self._backends = [
            EmbeddedBackend(profile, cores, model, self._log_dir)
            for profile, cores in zip(present, shares, strict=True)
        ]
        self._written: tuple[Any, ...] = ()  # what the state file tells
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    @property
    def _servers(self) -> list[EmbeddedServer]:
        return [server for backend in self._backends for server in backend.servers]

    def add(self, profile: Profile) -> EmbeddedBackend:
        """One more backend, whose servers the caller starts. Only for Further.look()."""
        taken = {core for backend in self._backends for core in backend.info().cores or ()}
        cores = cores_for_one_more(profile.cores_wanted, taken, sorted(os.sched_getaffinity(0)))
        backend = EmbeddedBackend(profile, cores, self.model, self._log_dir)
        self._backends = [*self._backends, backend]  # a new list: another thread may be reading the old one
        return backend

    def remove(self, backend: EmbeddedBackend) -> None:
        """End a backend that was added. Only for Further.look()."""
        self._backends = [other for other in self._backends if other is not backend]
        for server in backend.servers:
            server.stop()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        waits = [threading.Thread(target=server.ended, args=(deadline,)) for server in backend.servers]
        for wait in waits:
            wait.start()

    def __enter__(self) -> EmbeddedServers:
        for server in self._servers:
            server.start()
        self._write_state()
        self._watcher.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._watcher.join()
        if self._further:
            self._further.stop()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for server in self._servers:
            server.stop()
        for server in self._servers:
            server.ended(deadline)
        self.state_path.unlink(missing_ok=True)

    def infos(self) -> list[BackendInfo]:
        """All backends, including the absent ones; those over REST last."""
        live = [backend.info() for backend in self._backends]
        return [*self._absent, *live, *(backend.rest_info() for backend in self._backends)]

    def wait_ready(
        self,
        timeout_s: float = READY_TIMEOUT_S,
        say: Callable[[str], None] = lambda text: None,
        stop: threading.Event | None = None,
    ) -> None:
        """Return when all servers answer, all replicas included, or when `stop` is set.

        Raises EmbeddedFailed if one can't start, with the last line of its log.
        """
        deadline = time.monotonic() + timeout_s
        stop = stop or threading.Event()
        waiting = list(self._backends)
        while waiting and not stop.wait(0.1):
            for backend in list(waiting):
                late = backend.not_ready()
                if late is None:
                    waiting.remove(backend)
                    info = backend.info()
                    what = runtime_words(info)
                    say(f"{info.name}: {what + '. ' if what else ''}{info.detail}")
                elif late.state in HOPELESS or time.monotonic() > deadline:
                    raise EmbeddedFailed(f"{backend.name} did not start. {late.detail}")

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_INTERVAL_S):
            if self._further:
                self._further.look(self)
            for server in self._servers:
                server.look()
            if self._written != self._seen():
                self._write_state()

    def _seen(self) -> tuple[Any, ...]:
        """What the state file should tell."""
        servers = [(server.info, server.pid) for server in self._servers]
        return servers, self._further.rows() if self._further else []

    def _write_state(self) -> None:
        self._written = self._seen()
        processes = {backend.name: backend.processes() for backend in self._backends}
        rows = [to_dict(info) | processes.get(info.name, {}) for info in self.infos()]
        asked = [asdict(profile) for profile in self._profiles]
        state = {"supervisor_pid": os.getpid(), "model": dict(self.model), "asked": asked, "backends": rows}
        if self._further:
            state["catalogue"] = self._further.rows()
        scratch = self.state_path.with_suffix(".tmp")
        scratch.write_text(json.dumps(state, indent=1), "utf-8")
        scratch.replace(self.state_path)


def running_servers(
    data_dir: Path, asked: Sequence[Profile] | None = None
) -> tuple[dict[str, Any], list[BackendInfo]] | None:
    """Model and backends of embedded servers that another process runs; None when none does.

    Raises EmbeddedFailed when others run than those `asked` for; None: any will do.
    """
    try:
        state = json.loads((data_dir / "embedded.json").read_text("utf-8"))
        os.kill(int(state["supervisor_pid"]), 0)
        found = state["model"], [from_dict(BackendInfo, row) for row in state["backends"]]
        running = state["asked"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if asked is not None and running != [asdict(profile) for profile in asked]:
        names = ", ".join(profile["name"] for profile in running)
        raise EmbeddedFailed(
            f"Other embedded servers run on {data_dir} than PIXELCOST_EMBEDDED asks for: {names}. "
            "Stop them, unset it to use them, or set PIXELCOST_DATA_DIR to another folder."
        )
    return found


def _asked_for(profile: Profile) -> list[str]:
    """The flags for those options of a profile that are not the default."""
    plain = Profile(profile.name, profile.cpus)
    changed = {
        name: getattr(profile, name)
        for name in ("runtime", "precision", "isa")
        if getattr(profile, name) != getattr(plain, name)
    }
    return [part for name, value in changed.items() for part in (f"--{name}", str(value))]


def _absent(profiles: Sequence[Profile], model: Mapping[str, Any]) -> list[BackendInfo]:
    """The GPU backends whose runtime can't use a GPU on this machine."""
    found = []
    for profile in profiles:
        if profile.device == "GPU" and (reason := _gpu_problem(_runtime(profile, model))):
            detail = "No GPU on this machine" + ("." if reason == NO_DEVICE else f": {reason}")
            info = BackendInfo(profile.name, device="GPU", embedded=True, state="absent", detail=detail)
            found.append(info)
    return found


def _runtime(profile: Profile, model: Mapping[str, Any]) -> str:
    """The runtime that has to use the GPU; for `auto`, the one that the model's file needs."""
    if profile.runtime != "auto":
        return profile.runtime
    base_path = model_in(profile.model)["base_path"] if profile.model else model["base_path"]
    return "tensorflow" if any(Path(str(base_path)).glob("*/saved_model.pb*")) else "auto"


@functools.cache
def _gpu_problem(runtime: str) -> str | None:
    """Why a runtime can't use a GPU on this machine; None if it can."""
    command = [sys.executable, "-m", "serving", "--list_devices", "--runtime", runtime]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"The search for a GPU failed: {done.stderr.strip()}"
    reason: str | None = json.loads(done.stdout)["no_gpu"]
    return reason


def _hardware(info: BackendInfo) -> str:
    have = len(info.cores or ())
    cores = "core" if have == 1 else "cores"
    short = f" {info.cpus} CPU, {have} on this machine." if info.cpus and have < info.cpus else ""
    return f"{info.detail} Runs on this machine, pinned to {have} {cores}.{short}"
