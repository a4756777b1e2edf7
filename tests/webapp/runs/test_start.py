"""python -m webapp: it starts where proxies, addresses and folders are unusual, or says why not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.deploy.dockerfile import read_stages
from tests.support.processes.app_process import READY, ROOT, free_port, running_app

NOBODY = "Nobody:127.0.0.1:9"  # a server that is down: the page starts without embedded ones
PROXIES = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"), "http://127.0.0.1:9")


def refused(**environ: str) -> str:
    """What `python -m webapp` prints when it does not start."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST_")}
    done = subprocess.run(
        [sys.executable, "-m", "webapp"],
        cwd=ROOT,
        env=clean | {"TF_SERVERS": NOBODY} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_proxy_of_the_environment_does_not_keep_it_from_starting(tmp_path):
    with running_app(tmp_path, TF_SERVERS=NOBODY, **PROXIES, no_proxy="", NO_PROXY="") as app:
        assert requests.get(f"{app.url}/healthz", timeout=10).status_code == 200


@pytest.mark.parametrize("name", ["web", "serving"])
def test_the_health_checks_of_the_images_ask_no_proxy(name):
    _, _, code = read_stages()[name].command("HEALTHCHECK")
    environ = os.environ | PROXIES | {"no_proxy": "", "NO_PROXY": "", "MODEL_NAME": "inception"}
    port = "5051" if name == "web" else "8501"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        here = code.replace(f":{port}/", f":{server.getsockname()[1]}/")
        asking = subprocess.Popen([sys.executable, "-c", here], env=environ)
        connection, _ = server.accept()  # fails by its time limit where the proxy is asked
        with connection:
            assert connection.recv(1000).startswith(b"GET /")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        assert asking.wait(20) == 0


@pytest.mark.parametrize(("host", "address"), [("::", "localhost"), ("::1", "[::1]")])
def test_it_listens_on_ipv6(host, address, tmp_path):
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with running_app(tmp_path, TF_SERVERS=NOBODY, PIXELCOST_HOST=host) as app:
        [ready] = [line for line in app.output if line.startswith(READY)]
        assert f"http://{address}:{app.port} " in ready
        assert requests.get(f"http://[::1]:{app.port}/healthz", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PORT": "0"}, "PORT='0' is not a whole number from 1 to 65535"),
        ({"PIXELCOST_HOST": "no such host"}, "is not an address of this machine"),
        ({"PIXELCOST_HOST": "192.0.2.1"}, "on 192.0.2.1 can't be used"),
        ({"PIXELCOST_MAX_BYTES": "²"}, "PIXELCOST_MAX_BYTES='²' is not a whole number"),
    ],
)
def test_what_keeps_it_from_starting_is_said_at_once(environ, words, tmp_path):
    assert words in refused(**{"PORT": str(free_port()), "PIXELCOST_DATA_DIR": str(tmp_path)} | environ)
