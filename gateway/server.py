"""The gateway under gunicorn: one process that serves, with many threads, as a waiting client holds one."""

from __future__ import annotations

import resource
from typing import Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from gateway.config import Settings
from httpserver.logs import log_config

MOST_DESCRIPTORS: Final = 65_536
SPARE_CONNECTIONS: Final = 384  # that send or read while all threads are busy


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our worker. run() returns at its end."""

    def __init__(self, settings: Settings):
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        settings = self._settings
        ports = [settings.port, *([settings.frontend_port] if settings.frontend_port else [])]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        chosen = {
            "bind": [f"{host}:{port}" for port in ports],
            "worker_class": "httpserver.gunicorn_worker.Worker",
            "workers": 1,
            "threads": settings.threads,
            "worker_connections": settings.threads + SPARE_CONNECTIONS,
            "sendfile": False,  # it would send past the worker's limits on slow readers
            "forwarded_allow_ips": "",  # nobody's SCRIPT_NAME; what a proxy says is PIXELCOST_TRUST_PROXY's
            "timeout": 120,  # of the process as a whole: the main loop reports by itself
            "graceful_timeout": 10,
            "keepalive": 5,
            "accesslog": None,  # the app logs requests itself, with their ids
            "logconfig_dict": log_config(settings.log_level, settings.log_format),
            "control_socket_disable": True,
            "post_worker_init": _begin,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Called by gunicorn in the process that serves, which alone imports the app."""
        from gateway.app import create_app  # noqa: PLC0415

        return create_app(self._settings)


def _begin(worker: Any) -> None:
    """The process that serves is ready: begin background work in it."""
    # A request that waits takes a descriptor, and what it asks Redis another one. Usually 1,024 are allowed.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else MOST_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(most, MOST_DESCRIPTORS)), hard))
    worker.wsgi.extensions["gateway"].start(lambda: worker.alive)
