"""python -m webapp: serves the page on this machine until Ctrl-C.

Without TF_SERVERS it starts the embedded model servers first, and waits until they answer. It ends every
process that it started; if it is killed, they end by themselves.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
from contextlib import ExitStack
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from common.installed import as_typed
from common.processes import end_with_parent
from experiment import __version__
from experiment.embedded.data_dir import claimed
from experiment.embedded.model import ModelChoice, prepare_model
from experiment.embedded.models_cli import StartStopped
from experiment.embedded.more_models import MoreModels
from experiment.embedded.profiles import parse_embedded
from experiment.embedded.supervisor import EmbeddedServers
from experiment.errors import EmbeddedFailed, PixelcostError
from experiment.settings import from_file
from webapp.config import Settings, read_settings, sqlite_url
from webapp.store.database import sqlite_path
from webapp.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
WEB_READY_TIMEOUT_S = 30.0
WEB_STOP_TIMEOUT_S = 15.0


def main() -> int:
    """Start, print the address, wait for the end. Returns the exit code."""
    _parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = read_settings()
        _check_port(settings)
        return _serve(settings, stop)
    except StartStopped:
        print("Pixelcost has ended.", flush=True)
        return 0
    except PixelcostError as error:
        print(f"Pixelcost can't start. {error.message}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m webapp"),
        description="Serves the page on this machine until Ctrl-C, with model servers of its own.",
        epilog="Settings come from the environment or a file .env, as PORT=8080: docs/settings.md",
    )
    parser.add_argument("--version", action="version", version=f"Pixelcost {__version__}")
    return parser


def _serve(settings: Settings, stop: threading.Event) -> int:
    environ = _of_the_web_process(settings)
    if sys.stdout.isatty():  # somebody reads the log in a terminal
        environ.setdefault("PIXELCOST_LOG_FORMAT", "text")
    with ExitStack() as stack:
        stack.enter_context(claimed(Path(settings.data_dir)))
        Store(settings.store_url).close()  # fails here, before anything is downloaded or started
        if not settings.tf_servers:
            servers = _start_servers(settings, stack, stop)
            environ["PIXELCOST_EMBEDDED_STATE"] = str(servers.state_path.resolve())
        web = _start_web(environ, settings, stack)
        _wait_for_page(settings, web, stop)
        if not stop.is_set():
            print(f"Pixelcost is ready: {_address(settings)}  (Ctrl-C ends it)", flush=True)
        while not stop.wait(0.2):
            if web.poll() is not None:
                print("The web process has ended; see its messages above.", file=sys.stderr)
                return 1
    print("Pixelcost has ended.", flush=True)
    return 0


def _of_the_web_process(settings: Settings) -> dict[str, str]:
    """Its environment. It runs in another folder: the file .env is read here, and paths are made absolute."""
    environ = {
        **from_file(".env"),
        **os.environ,
        "PIXELCOST_DATA_DIR": str(Path(settings.data_dir).absolute()),
    }
    if token_file := environ.get("PIXELCOST_TOKEN_FILE", "").strip():
        environ["PIXELCOST_TOKEN_FILE"] = str(Path(token_file).absolute())
    database = sqlite_path(settings.store_url)
    if settings.database_url and database:
        environ["DATABASE_URL"] = sqlite_url(database)
    return environ


def _start_servers(settings: Settings, stack: ExitStack, stop: threading.Event) -> EmbeddedServers:
    data_dir = Path(settings.data_dir)
    choice = ModelChoice(settings.model_base_path, settings.model, settings.weights_url)
    print("Preparing the model (the first time takes a while).", flush=True)
    model = prepare_model(data_dir, choice, stop)
    print(f"Starting the embedded model servers with {model['title']}.", flush=True)
    further = MoreModels(data_dir, settings.weights_url) if settings.can_add_servers else None
    profiles = parse_embedded(settings.embedded)
    servers = stack.enter_context(EmbeddedServers(data_dir, model, profiles, further))
    servers.wait_ready(say=lambda text: print(text, flush=True), stop=stop)
    return servers


def _start_web(environ: dict[str, str], settings: Settings, stack: ExitStack) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gunicorn", "-c", "webapp/gunicorn_conf.py", "webapp:create_app()"]
    web = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        start_new_session=True,  # Ctrl-C reaches only this process, which ends the others in order
        preexec_fn=end_with_parent,  # noqa: PLW1509  only prctl, before any thread exists in the child
    )
    stack.callback(_stop_web, web)
    return web


def _stop_web(web: subprocess.Popen[bytes]) -> None:
    web.terminate()
    try:
        web.wait(WEB_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        web.kill()
        web.wait()


def _wait_for_page(settings: Settings, web: subprocess.Popen[bytes], stop: threading.Event) -> None:
    deadline = time.monotonic() + WEB_READY_TIMEOUT_S
    direct = build_opener(ProxyHandler({}))  # without HTTP_PROXY, which can't reach this machine's loopback
    while not stop.is_set():
        try:
            direct.open(f"{_address(settings)}/healthz", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            if web.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedFailed("The web process did not start; see its messages above.") from None
        time.sleep(0.05)


def _check_port(settings: Settings) -> None:
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    other = port + 1 if port < 65535 else port - 1
    try:
        with socket.socket(family) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind((host, port))
    except socket.gaierror:
        raise PixelcostError(
            f"PIXELCOST_HOST={host} is not an address of this machine. Write 127.0.0.1 for this machine "
            "only, 0.0.0.0 for every interface, or :: for every interface with IPv6."
        ) from None
    except OSError as error:
        raise PixelcostError(
            f"Port {port} on {host} can't be used: {error.strerror}. "
            f"Choose another one, for example PORT={other} make run."
        ) from None


def _address(settings: Settings) -> str:
    host = "localhost" if settings.host in {"0.0.0.0", "127.0.0.1", "::"} else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


if __name__ == "__main__":
    sys.exit(main())
