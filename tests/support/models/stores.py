"""Stores that models lie in, on this machine: a web server, a registry, Google's JSON API; and a proxy that
cuts connections."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import re
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SAVED_MODEL = {
    "saved_model.pb": b"\x08\x01graph",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": bytes(range(256)) * 1200,  # 307,200 bytes
}


def packed(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def sums(files: Mapping[str, bytes]) -> bytes:
    """What `sha256sum` prints about them."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: object) -> None:
        pass

    def answer(self, status: int, data: bytes, headers: Mapping[str, str] = {}) -> None:
        """Send it, or the range that was asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        told = dict(headers)
        if asked and status == 200:
            offset = int(asked[1])
            told["Content-Range"] = f"bytes {offset}-{len(data) - 1}/{len(data)}"
            status, data = 206, data[offset:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *about: object) -> None:
        """A client that hangs up is no error."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """host:port of a server on loopback."""
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Between:
    """What a proxy does: `cuts` holds after how many bytes the next large answers end."""

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self.before: Callable[[str], None] = lambda path: None  # called first
        self.asked: list[tuple[str, str | None]] = []  # path, range
        self.host = ""


@contextmanager
def proxy(upstream: str) -> Iterator[Between]:
    """A proxy in front of host:port."""
    between = Between()

    class Handler(Quiet):
        def do_GET(self) -> None:
            between.before(self.path)
            if self.command == "GET":
                between.asked.append((self.path, self.headers.get("Range")))
            there = http.client.HTTPConnection(upstream, timeout=20)
            there.request(self.command, self.path, headers=dict(self.headers.items()))
            response = there.getresponse()
            data = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
                    self.send_header(name, value)
            self.end_headers()
            if between.cuts and len(data) > between.cuts[0]:
                data = data[: between.cuts.pop(0)]
                self.close_connection = True
            with suppress(OSError):
                self.wfile.write(data)
            there.close()

        do_HEAD = do_GET  # noqa: N815

    with serving(Handler) as between.host:
        yield between


@contextmanager
def web(files: dict[str, bytes], token: str = "", etags: bool = True) -> Iterator[str]:
    """A web server. With `token` it wants Authorization to be that."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            data = files.get(unquote(urlsplit(self.path).path.lstrip("/")))
            if token and self.headers.get("Authorization") != token:
                self.answer(401, b"")
            elif data is None:
                self.answer(404, b"")
            else:
                etag = f'"{hashlib.md5(data).hexdigest()}"'
                if self.headers.get("If-Range", etag) != etag:
                    del self.headers["Range"]
                self.answer(200, data, {"ETag": etag} if etags else {})

    with serving(Handler) as host:
        yield f"http://{host}/"


@contextmanager
def google(objects: dict[str, bytes]) -> Iterator[str]:
    """The part of Cloud Storage's JSON API that reads a bucket `models`; two objects on a page of a list."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            bucket, _, name = url.path.removeprefix("/storage/v1/b/").partition("/o")
            name = unquote(name.removeprefix("/"))
            if bucket != "models":
                self.answer(404, b"{}")
            elif name:
                data = objects.get(name, b"")
                is_same = query["ifGenerationMatch"] == generation(data)
                self.answer(200 if is_same else 412, data if is_same else b"{}")
            else:
                names = sorted(key for key in objects if key.startswith(query["prefix"]))
                start = int(query.get("pageToken", 0))
                page: dict[str, Any] = {"items": [row(key) for key in names[start : start + 2]]}
                if len(names) > start + 2:
                    page["nextPageToken"] = str(start + 2)
                self.answer(200, json.dumps(page).encode())

    def generation(data: bytes) -> str:
        return str(int(hashlib.md5(data).hexdigest()[:12], 16))

    def row(key: str) -> dict[str, str]:
        data = objects[key]
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        return {"name": key, "size": str(len(data)), "generation": generation(data), "md5Hash": md5}

    with serving(Handler) as host:
        yield f"http://{host}"


class Images:
    """The contents of a registry: `add` puts an artifact or an image there."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.host = ""

    def add(self, tag: str, *layers: tuple[str, bytes], is_image: bool = False) -> str:
        """Layers are (title, bytes); returns the digest of the manifest."""
        kind = "image.config" if is_image else "empty"
        rows = []
        for title, data in layers:
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            self.blobs[digest] = data
            about = {"annotations": {"org.opencontainers.image.title": title}} if title else {}
            rows.append(
                {"mediaType": "application/octet-stream", "digest": digest, "size": len(data), **about}
            )
        config = f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
        self.blobs[config] = b"{}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": f"application/vnd.oci.{kind}.v1+json",
                "digest": config,
                "size": 2,
            },
            "layers": rows,
        }
        return self.put(tag, manifest)

    def put(self, tag: str, manifest: Mapping[str, object]) -> str:
        """Store a manifest or an index under a tag; returns its digest."""
        data = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.manifests |= {tag: data, digest: data}
        return digest


@contextmanager
def registry(password: str = "") -> Iterator[Images]:
    """A registry; with a password it wants a token, which user:password gets."""
    images = Images()
    basic = base64.b64encode(f"user:{password}".encode()).decode()

    class Handler(Quiet):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/token":
                is_user = self.headers.get("Authorization") == f"Basic {basic}"
                self.answer(200 if is_user else 401, b'{"token": "for-the-model"}' if is_user else b"{}")
            elif password and self.headers.get("Authorization") != "Bearer for-the-model":
                realm = (
                    f'Bearer realm="http://{images.host}/token",service="here",scope="repository:model:pull"'
                )
                self.answer(401, b"{}", {"WWW-Authenticate": realm})
            else:
                _, kind, reference = path.rsplit("/", 2)
                found = (images.manifests if kind == "manifests" else images.blobs).get(reference)
                self.answer(404 if found is None else 200, found or b"{}")

    with serving(Handler) as images.host:
        yield images
