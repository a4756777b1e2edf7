"""The model servers that `/classify` asks, with connections that are kept."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager

from experiment.backends.addresses import parse_servers
from experiment.backends.base import Backend
from experiment.backends.connect import connect
from experiment.records import BackendInfo
from gateway.config import Settings
from httpserver.problems import Refused

NONE_CONFIGURED = 'Set TF_SERVERS, for example TF_SERVERS="8 CPU:tf-8cpu:8500", or submit the photo to /jobs.'


class Backends:
    """Those of TF_SERVERS. A connection serves one request at a time, and the next one afterwards."""

    def __init__(self, settings: Settings):
        listed = settings.tf_servers
        self.infos = parse_servers(listed, settings.backend_defaults) if listed else []
        self.timeout_s = settings.tf_request_timeout_s
        self._free: dict[str, queue.LifoQueue[Backend]] = {
            info.name: queue.LifoQueue() for info in self.infos
        }

    def named(self, name: str) -> BackendInfo:
        """The backend of that name; without a name, the first. Raises Refused."""
        if not self.infos:
            raise Refused("no_backends", NONE_CONFIGURED, 503)
        found = next((info for info in self.infos if name in {"", info.name}), None)
        if found is None:
            names = ", ".join(info.name for info in self.infos)
            raise Refused("no_such_backend", f"No backend is named {name[:100]}. Backends: {names}.", 422)
        return found

    @contextmanager
    def connected(self, info: BackendInfo) -> Iterator[Backend]:
        """A connection to a backend, during the block."""
        free = self._free[info.name]
        try:
            backend = free.get_nowait()
        except queue.Empty:
            backend = connect(info)
        try:
            yield backend
        finally:
            free.put(backend)
