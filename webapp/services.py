"""The services of a running app: built once, and available to every request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from flask import current_app

from common import traces
from webapp.added_models import AddedModels
from webapp.added_servers import AddedServers
from webapp.backends import BackendRegistry
from webapp.config import Settings
from webapp.metrics import Metrics
from webapp.runs.event_stream import Streams
from webapp.runs.manager import RunManager
from webapp.runs.photos import SetPhotos
from webapp.runs.reports import Reports
from webapp.store.disk_use import DiskUse
from webapp.store.store import Store
from webapp.uploads.receive import Uploads
from webapp.worker.process import WORKER_COMMAND


class Services:
    """Everything that outlives a request."""

    def __init__(self, settings: Settings, worker_command: Sequence[str] = WORKER_COMMAND):
        self.settings = settings
        self.metrics = Metrics()
        self.store = Store(settings.store_url, settings.keep_runs, settings.keep_bytes)
        self.reports = Reports(self.store)
        self.set_photos = SetPhotos(self.store)
        self.runs = RunManager(settings, self.store, self.metrics, self.reports.headline, worker_command)
        self.registry = BackendRegistry(settings, lambda: self.runs.is_measuring)
        self.added = AddedServers(settings, lambda: self.runs.is_measuring)
        self.models = AddedModels(settings, self.registry.catalogue)
        self.uploads = Uploads(settings)
        most_streams = min(settings.max_streams, settings.threads // 2)  # the rest is for other requests
        self.streams = Streams(self.store, self.runs, most_streams)
        self._show_state()

    def _show_state(self) -> None:
        """Gauges of backends, queue and disk: from what is known, for a scrape must not ask the backends."""
        watch, queue, settings = self.metrics.watch, self.runs.queue, self.settings
        watch("pixelcost_runs", "Runs in the store, by state.", self.store.count, "state")
        watch("pixelcost_streams", "Event streams held open.", lambda: {"": self.streams.count})

        watch("pixelcost_queue_length", "Runs that wait.", lambda: {"": queue.length})
        watch("pixelcost_queue_limit", "Runs that may wait.", lambda: {"": settings.queue_length})
        watch("pixelcost_queue_running", "Runs that measure.", lambda: {"": queue.running})
        oldest = "How long the run that waits longest has waited; 0: none waits."
        watch("pixelcost_queue_oldest_seconds", oldest, lambda: {"": queue.oldest_wait_s})

        registry = self.registry
        up = "Whether the backend answered when it was asked last (1) or not (0)."
        watch("pixelcost_backend_up", up, registry.up, "backend")
        watch("pixelcost_backend_state", "1 for the backend's state.", registry.states, "backend", "state")
        asked = "When the backend was asked last; never while a run measures."
        watch("pixelcost_backend_checked_timestamp_seconds", asked, lambda: registry.checked_at, "backend")
        restarts = "How often a server that Pixelcost starts itself was started again."
        self.metrics.watch_total("pixelcost_backend_restarts", restarts, registry.restarts, "backend")

        use = DiskUse(Path(settings.data_dir))
        watch("pixelcost_data_used_bytes", "Disk that the data folder's files take.", use.used)
        watch("pixelcost_data_free_bytes", "Free on the data folder's file system.", use.free)
        watch("pixelcost_data_size_bytes", "Size of the data folder's file system.", use.size)
        most = "The most that runs and uploads may take: the settings allow no more."
        watch("pixelcost_data_quota_bytes", most, lambda: {"": settings.most_data_bytes})

    def start(self, is_serving: Callable[[], bool] = lambda: True) -> None:
        """Begin background work. Call it once, in the process that serves, after any fork.

        `is_serving` turns false when the server begins to stop: then streams end.
        """
        self.runs.start(is_serving)
        self.registry.start()

    def close(self) -> None:
        """End timing processes and background work; results stay."""
        self.registry.close()
        self.runs.close()
        self.store.close()
        traces.stop()


def services() -> Services:
    """The services of the app that serves this request."""
    return cast(Services, current_app.extensions["pixelcost"])
