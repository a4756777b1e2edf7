"""A proxy in front of the app that holds back what it passes on: nginx, and one of our own."""

from __future__ import annotations

import getpass
import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.support.processes.app_process import free_port

PREFIX = "/some/prefix"
HELD_BYTES = 4096  # nginx's own buffer: a page of memory
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
PATIENCE_S = 20

# The lines of docs/compose.md under a path. Buffering is on: that is nginx's default.
NGINX = """\
daemon off; user {user}; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 520m;
    location {prefix}/ {{
      proxy_pass {url}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix {prefix};
      proxy_read_timeout 3600s;
    }}
  }}
}}
"""


def nginx_path() -> str | None:
    """nginx, if it is installed; for other accounts than root its folder is often not on PATH."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(url: str, folder: Path) -> Iterator[int]:
    """The port of an nginx that shows the app at `url` under PREFIX."""
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        NGINX.format(folder=folder, port=port, prefix=PREFIX, url=url, user=getpass.getuser()), "utf-8"
    )
    process = subprocess.Popen([nginx_path(), "-p", str(folder), "-c", str(settings)])
    try:
        _wait(f"http://127.0.0.1:{port}{PREFIX}/healthz")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            requests.get(url, timeout=PATIENCE_S).raise_for_status()
        except requests.ConnectionError:
            assert time.monotonic() < deadline, f"nobody answers at {url}"
            time.sleep(0.05)
        else:
            return


@contextmanager
def stubborn(url: str) -> Iterator[int]:
    """The port of such a proxy, as a server of its own."""
    with stubborn_server(url) as server:
        yield server.server_port


@contextmanager
def stubborn_server(url: str) -> Iterator[_Server]:
    """A proxy that buffers whatever the app says about it, as some do and nginx can be told to.

    It passes an answer on in pieces of HELD_BYTES, and the last one when the app has finished: of a stream
    of events nothing comes until so many bytes are there.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.behind = urlsplit(url).netloc
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    behind = ""  # "host:port" of the app

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.streams: list[socket.socket] = []  # to browsers that listen to events

    def cut(self) -> int:
        """End every stream of events at once, in the middle of whatever it says. How many there were."""
        streams, self.streams = self.streams, []
        for each in streams:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(streams)

    def handle_error(self, *args: object) -> None:
        """A browser that hangs up, as on a stream of events, is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.path.startswith(PREFIX + "/"):
            self.send_error(404)
            return
        upstream = http.client.HTTPConnection(self.server.behind, timeout=120)
        try:
            upstream.request(self.command, self.path.removeprefix(PREFIX), self._body(), self._headers())
            self._pass_on(upstream.getresponse())
        finally:
            upstream.close()

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _headers(self) -> dict[str, str]:
        kept = {key: value for key, value in self.headers.items() if key.lower() not in HOP_BY_HOP}
        return kept | {
            "X-Forwarded-Prefix": PREFIX,
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "http",
        }

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        if answer.headers.get_content_type() == "text/event-stream":
            self.server.streams.append(self.connection)
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in HOP_BY_HOP | {"content-length", "server", "date"}:
                self.send_header(key, value)
        if answer.status in {204, 304}:  # have no body, and no length of one
            self.end_headers()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read(HELD_BYTES):  # waits until there are so many, or no more will come
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: object) -> None:
        """Not into the tests' output."""
