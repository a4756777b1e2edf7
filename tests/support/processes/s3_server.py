"""A tiny S3 over real HTTP: lists a bucket in pages, and sends objects whole or in part."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY_ID, SECRET = "tester", "secret-of-the-tester"


class S3Server:
    """Buckets and their objects. `page` keys come with each answer to a listing."""

    def __init__(self, buckets: Mapping[str, Mapping[str, bytes]], page: int = 1000):
        self.buckets = {name: dict(objects) for name, objects in buckets.items()}
        self.page = page
        self.asked: list[str] = []  # "GET /bucket/key", "LIST bucket"
        self.denied: set[str] = set()  # keys that nobody may read
        self.address = ""

    def environment(self) -> dict[str, str]:
        """What a client needs to be told."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def s3_server(buckets: Mapping[str, Mapping[str, bytes]], page: int = 1000) -> Iterator[S3Server]:
    """Serve on loopback."""
    store = S3Server(buckets, page)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, *about: object) -> None:
            pass

        def _answer(self) -> None:
            url = urlsplit(self.path)
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            if f"Credential={KEY_ID}/" not in self.headers.get("Authorization", ""):
                self._refuse(403, "InvalidAccessKeyId")
            elif bucket not in store.buckets:
                self._refuse(404, "NoSuchBucket")
            elif not key:
                store.asked.append(f"LIST {bucket}")
                self._list(
                    store.buckets[bucket], {name: value[0] for name, value in parse_qs(url.query).items()}
                )
            else:
                store.asked.append(f"{self.command} /{bucket}/{key}")
                self._object(store.buckets[bucket], key)

        def _list(self, objects: Mapping[str, bytes], query: Mapping[str, str]) -> None:
            prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
            keys = sorted(key for key in objects if key.startswith(prefix) and key > after)
            most = min(store.page, int(query.get("max-keys", "1000")))
            shown, is_cut = keys[:most], len(keys) > most
            rows = "".join(
                f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<Size>{len(objects[key])}</Size></Contents>"
                for key in shown
            )
            rest = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if is_cut else ""
            self._send(
                200,
                (
                    '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                    f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount>"
                    f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{rest}{rows}</ListBucketResult>"
                ).encode(),
            )

        def _object(self, objects: Mapping[str, bytes], key: str) -> None:
            if key in store.denied:
                self._refuse(403, "AccessDenied")
                return
            if key not in objects:
                self._refuse(404, "NoSuchKey")
                return
            data = objects[key]
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if part is None:
                self._send(200, data, "image/jpeg")
                return
            first, last = int(part[1]), min(int(part[2]), len(data) - 1)
            self._send(206, data[first : last + 1], "image/jpeg", f"bytes {first}-{last}/{len(data)}")

        def _refuse(self, status: int, code: str) -> None:
            self._send(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

        def _send(
            self, status: int, data: bytes, kind: str = "application/xml", part: str | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Last-Modified", formatdate(1_767_225_600, usegmt=True))
            if part is not None:
                self.send_header("Content-Range", part)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    store.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
