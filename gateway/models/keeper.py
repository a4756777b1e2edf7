"""The process that follows the folder of models and keeps its model server running.

It is one of its own because gunicorn, in the process that starts it, collects every child that ends.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from common.processes import end
from experiment.errors import PixelcostError
from gateway.models.catalog import set_aside
from gateway.models.server import ROOT, ModelServer
from gateway.models.watch import Watcher
from jobs.locks import Held, held

LOCK: Final = "in-use-by"
STOP_TIMEOUT_S: Final = 12.0
PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Follow the folder until SIGTERM, Ctrl-C, or the end of standard input: then the parent is gone."""
    models_dir, cache = map(Path, arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_until_parent_ends, args=(stop,), daemon=True).start()
    server = ModelServer(cache)
    watcher = Watcher(models_dir, cache, server)
    server.start()
    watcher.start()
    stop.wait()
    watcher.stop()
    server.stop()
    return 0


@contextmanager
def kept(models_dir: Path, cache: Path) -> Iterator[None]:
    """That process, during the block; started again if it ends. Raises PixelcostError if it can't run."""
    _check(models_dir)
    with _claimed(cache):
        set_aside(cache)
        stop = threading.Event()
        thread = threading.Thread(target=_keep, args=(models_dir, cache, stop), name="keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _keep(models_dir: Path, cache: Path, stop: threading.Event) -> None:
    command = [sys.executable, "-m", "gateway.models", str(models_dir.resolve()), str(cache.resolve())]
    while not stop.is_set():
        process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
        while process.poll() is None and not stop.wait(0.2):
            pass
        if not stop.is_set():
            log.error("The process that follows the folder of models ended; it is started again.")
            stop.wait(PAUSE_S)
    end(process, STOP_TIMEOUT_S)


def _until_parent_ends(stop: threading.Event) -> None:
    """The parent holds the other end of standard input, and never writes."""
    while os.read(0, 1):
        pass
    stop.set()


def _check(models_dir: Path) -> None:
    try:
        next(models_dir.iterdir(), None)
    except OSError as problem:
        raise PixelcostError(
            f"The folder of models, {models_dir}, can't be read: {problem.strerror}. Name a folder with a "
            "sub-folder for each model with --models_dir; a container needs it mounted."
        ) from None
    if not find_spec("tensorflow"):
        raise PixelcostError(
            "Serving a folder of models needs TensorFlow, which is not installed here. Use the image "
            "pixelcost-api, or leave out --models_dir."
        )


@contextmanager
def _claimed(cache: Path) -> Iterator[None]:
    """Lock the cache folder: two gateways in one would remove each other's models. Raises PixelcostError."""
    with ExitStack() as stack:
        try:
            stack.enter_context(held(cache / LOCK, str(os.getpid())))
        except Held:
            raise PixelcostError(
                f"The cache of converted models, {cache}, is in use by another gateway. Give this one its "
                "own with --models_cache."
            ) from None
        except OSError as problem:
            raise PixelcostError(
                f"The cache of converted models, {cache}, can't be used: {problem.strerror}. Name a folder "
                "that can be written with --models_cache."
            ) from None
        yield
