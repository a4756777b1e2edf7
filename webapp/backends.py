"""The backend registry: all backends and their last known states."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiment.backends.addresses import parse_servers
from experiment.backends.capabilities import about_of
from experiment.backends.probe import probe
from experiment.codec import from_dict
from experiment.records import BackendInfo
from webapp.config import Settings

NONE_CONFIGURED = (
    "No backends are configured. Set TF_SERVERS, for example "
    'TF_SERVERS="GPU:tf-gpu:8500;8 CPU:tf-8cpu:8500", or start with `make run`.'
)
PROBE_TIMEOUT_S = 2.0
LOOK_AGAIN_S = 1.0
MOST_SHARING = 4  # threads that wait for the same probes
SEEN = (  # what probe() finds
    *("state", "detail", "version", "reads", "decode_signature", "decode_output"),
    *("model", "workers", "batch_size", "model_servers"),  # of a queue
)

Stamp = tuple[int, int] | None  # time and inode of a file; None: no file, or not read

log = logging.getLogger(__name__)


class BackendRegistry:
    """The backends of TF_SERVERS, or the embedded ones as their supervisor lists them.

    Their health is checked in the background, but never while a run measures.
    """

    def __init__(self, settings: Settings, is_measuring: Callable[[], bool]):
        self._settings = settings
        self._is_measuring = is_measuring
        self._state_file = StateFile(settings.embedded_state) if settings.embedded_state else None
        self._configured = (
            parse_servers(settings.tf_servers, settings.backend_defaults) if settings.tf_servers else []
        )
        self._probed: dict[str, BackendInfo] = {}  # as last seen, by name
        self.checked_at: dict[str, float] = {}  # when each was probed last, in seconds since the epoch
        self._probed_at: Stamp = None  # of the state file they were probed for
        self._loading_since: dict[str, float] = {}  # by name, on the monotonic clock
        self._changed = threading.Condition()
        self._is_probing = False
        self._sharing = 0  # threads that wait for the probes of another thread
        self._stop = threading.Event()

    def start(self) -> None:
        """Probe in the background from now on. Call it after any fork."""
        threading.Thread(target=self._keep_probing, name="prober", daemon=True).start()

    def backends(self) -> list[BackendInfo]:
        """Every backend with its last known state; probed first if one is new or was restarted."""
        listed, stamp = self._listed()
        for _ in range(2):  # the first refresh may share probes that began before the list changed
            if self._probed_at != stamp or any(info.name not in self._probed for info in listed):
                self.refresh()
        return [self._timed(info) for info in self._known(listed, stamp)]

    def _known(self, listed: Sequence[BackendInfo], stamp: Stamp) -> list[BackendInfo]:
        """The backends with their last known states; nobody is asked."""
        fresh = self._probed if self._probed_at == stamp else {}
        return [_merged(info, fresh.get(info.name)) for info in listed]

    def up(self) -> dict[str, float]:
        """Name -> 1 if it was ready when it was asked last, else 0.

        Those that can't be here are left out, and those that nobody has asked yet.
        """
        return {name: float(state == "ready") for name, state in self.states()}

    def states(self) -> dict[tuple[str, ...], float]:
        """(Name, its state) -> 1, of the same backends as up()."""
        known = [info for info in self._known(*self._listed()) if info.is_present]
        return {(info.name, info.state): 1.0 for info in known if info.state != "unknown"}

    def restarts(self) -> dict[str, float]:
        """Name -> how often its supervisor started it again; only of embedded backends."""
        return {name: row["restarts"] for name, row in self.processes().items() if "restarts" in row}

    def processes(self) -> dict[str, dict[str, Any]]:
        """Process id and restarts of each embedded backend, from its supervisor."""
        return self._state_file.processes() if self._state_file else {}

    def model(self) -> Mapping[str, Any]:
        """The model's card, or at least its name."""
        return (self._state_file.model() if self._state_file else {}) or {"name": self._settings.model_name}

    def catalogue(self) -> list[dict[str, Any]] | None:
        """The models that can be started as further embedded backends; None where nobody could start them."""
        return self._state_file.catalogue() if self._state_file else None

    def refresh(self) -> None:
        """Probe all backends now, in parallel. Does nothing while a run measures.

        Up to MOST_SHARING threads wait for probes that another thread has begun. More return immediately, so
        that a backend that does not answer can't block all threads.
        """
        with self._changed:
            if self._is_probing:
                if self._sharing < MOST_SHARING:
                    self._sharing += 1
                    self._changed.wait_for(lambda: not self._is_probing)
                    self._sharing -= 1
                return
            self._is_probing = True
        try:
            self._probe_all()
        finally:
            with self._changed:
                self._is_probing = False
                self._changed.notify_all()

    def look_again(self) -> None:
        """Probe those that did not answer once more, before a run leaves them out.

        Takes at most LOOK_AGAIN_S: whoever refuses does so at once, and whoever hangs stays as it was. A run
        under way is hardly disturbed, for it does not ask them.
        """
        silent = [info for info in self._listed()[0] if self._was_silent(info)]
        if not silent:
            return
        pool = ThreadPoolExecutor(len(silent), "probe")
        looks = [pool.submit(probe, info, PROBE_TIMEOUT_S) for info in silent]
        answers = [look.result() for look in wait(looks, LOOK_AGAIN_S).done]
        pool.shutdown(wait=False)
        self._note(self._probed | {info.name: info for info in answers}, answers)

    def _was_silent(self, listed: BackendInfo) -> bool:
        seen = _merged(listed, self._probed.get(listed.name))
        return seen.is_present and not seen.answers

    def _probe_all(self) -> None:
        listed, stamp = self._listed()
        if not listed or self._is_measuring():
            return
        with ThreadPoolExecutor(len(listed), "probe") as pool:
            answers = list(pool.map(lambda info: probe(info, PROBE_TIMEOUT_S), listed))
        self._note({info.name: info for info in answers}, answers)
        self._probed_at = stamp

    def _note(self, probed: dict[str, BackendInfo], asked: Sequence[BackendInfo]) -> None:
        self._probed = probed
        self.checked_at = {name: at for name, at in self.checked_at.items() if name in probed}
        self.checked_at |= dict.fromkeys((info.name for info in asked), time.time())

    def _timed(self, info: BackendInfo) -> BackendInfo:
        """Adds to a backend that loads its model for how long it has done so: it may be stuck."""
        if info.state != "loading":
            self._loading_since.pop(info.name, None)
            return info
        since = self._loading_since.setdefault(info.name, time.monotonic())
        so_far = f"Loading the model, {time.monotonic() - since:.0f} s so far."
        return replace(info, detail=info.detail.replace("Loading the model.", so_far))

    def close(self) -> None:
        """Stop probing."""
        self._stop.set()

    def _listed(self) -> tuple[Sequence[BackendInfo], Stamp]:
        """The backends as configured; the stamp changes whenever the supervisor writes its file."""
        return self._state_file.backends() if self._state_file else (self._configured, None)

    def _keep_probing(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except Exception:
                log.exception("probing the backends failed")
            self._stop.wait(self._settings.probe_every_s)


class StateFile:
    """The state of the embedded backends, in a file of their supervisor that is read when it changes."""

    def __init__(self, path: str):
        self._path = Path(path)
        self._stamp: Stamp = None
        self._state: dict[str, Any] = {}
        self._lock = threading.Lock()

    def model(self) -> Mapping[str, Any]:
        """The model they serve."""
        model = self._read()[0].get("model", {})
        return {key: value for key, value in model.items() if key != "base_path"}

    def backends(self) -> tuple[list[BackendInfo], Stamp]:
        """The embedded backends, and the stamp of the file."""
        state, stamp = self._read()
        return [from_dict(BackendInfo, row) for row in state.get("backends", [])], stamp

    def catalogue(self) -> list[dict[str, Any]] | None:
        """What the supervisor can start further; None: nothing."""
        rows: list[dict[str, Any]] | None = self._read()[0].get("catalogue")
        return rows

    def processes(self) -> dict[str, dict[str, Any]]:
        """Process id, or ids of the replicas, and restarts, by backend."""
        rows = self._read()[0].get("backends", [])
        keys = ("pid", "pids", "restarts")
        return {row["name"]: {key: row[key] for key in keys if key in row} for row in rows}

    def _read(self) -> tuple[dict[str, Any], Stamp]:
        """The last state that could be read, if the file can't be read now."""
        with self._lock:
            try:
                facts = self._path.stat()
                stamp = (facts.st_mtime_ns, facts.st_ino)
                if stamp != self._stamp:
                    self._state = json.loads(self._path.read_text("utf-8"))
                    self._stamp = stamp
            except (OSError, ValueError):
                log.debug("the state of the embedded backends can't be read from %s", self._path)
            return self._state, self._stamp


def _merged(listed: BackendInfo, probed: BackendInfo | None) -> BackendInfo:
    """A backend as probed. For an embedded one, the probe only counts if it contradicts "ready".

    Its supervisor knows why a backend is not ready, and the hardware of one that is.
    """
    if probed is None or not listed.is_present:
        return listed
    if listed.embedded and (listed.state != "ready" or probed.state == "ready"):
        return listed
    return replace(listed, **{name: getattr(probed, name) for name in SEEN}, **about_of(probed))
