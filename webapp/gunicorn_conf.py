"""gunicorn's settings. `python -m webapp` starts gunicorn with this file.

One process, because it has the queue and the live runs; many threads, because an event stream holds one.
"""

from __future__ import annotations

import sys
from typing import Any

from experiment.errors import ConfigRefused
from httpserver.logs import log_config
from webapp.config import read_settings
from webapp.store.store import Store

try:
    _settings = read_settings()
    Store(_settings.store_url).close()  # fails here with a sentence; a worker would print a traceback
except ConfigRefused as error:
    sys.stderr.write(f"Pixelcost can't start. {error.message}\n")
    sys.exit(2)

_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
bind = f"{_host}:{_settings.port}"
worker_class = "httpserver.gunicorn_worker.Worker"
workers = 1
threads = _settings.threads
worker_connections = 512  # below the 1,024 descriptors that a process may commonly open
sendfile = False  # it would send past the worker's limits on slow readers
forwarded_allow_ips = ""  # nobody's SCRIPT_NAME; what a proxy says is PIXELCOST_TRUST_PROXY's to believe
timeout = 120  # of the process as a whole, not of a request: the main loop reports by itself
graceful_timeout = 10
keepalive = 5
preload_app = False  # gRPC and threads must begin after the fork
accesslog = None  # the app logs requests itself, with their ids
logconfig_dict = log_config(_settings.log_level, _settings.log_format)
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """The process that serves is ready: begin background work in it."""
    worker.wsgi.extensions["pixelcost"].start(is_serving=lambda: worker.alive)


def worker_exit(_server: object, worker: Any) -> None:
    """The process that serves is about to end."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["pixelcost"].close()
