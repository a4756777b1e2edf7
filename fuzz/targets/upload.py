"""Forms with photos, ZIP files and labels, as the page and curl send them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from PIL import Image

from fuzz.target import Target
from fuzz.webapp_client import BOUNDARY, checked, client, form, part

PATHS = ("/api/runs", "/api/runs?photos=many", "/api/runs/import", "/upload", "/api/runs?variants=browser")


def _feed(data: bytes) -> str:
    """The first byte chooses the address."""
    path = PATHS[(data[0] if data else 0) % len(PATHS)]
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return f"answered {checked(client().post(path, data=data[1:], content_type=kind)).status_code}"


def _seeds() -> Iterator[bytes]:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((20, 16)).save(out, "PNG")
    photo = out.getvalue()
    plan = part("plan", b'{"sizes_px": [16], "formats": ["jpeg"], "repeats": 1}')
    yield b"\0" + form(part("file", photo, "cat.png"), plan, part("true_label", b"tabby"))
    yield b"\1" + form(part("file", photo, "a/1.png"), part("file", photo, "b/2.png"), plan)
    labels = part("labels", b"file,label\na/1.png,cat\n", "labels.csv")
    yield b"\1" + form(part("file", _zip(photo), "set.zip"), labels, plan)
    yield b"\2" + form(part("file", b'{"schema_version": "1.2", "cells": []}', "run.json"))
    yield b"\3" + form(part("file", photo, "cat.png"))
    yield b"\4" + form(part("variants", b'[{"size_px": 16}]'), part("variant-0", photo, "v.png"), plan)


def _zip(photo: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("cat/1.png", photo)
        made.writestr("labels.csv", "file,label\ncat/1.png,cat\n")
    return out.getvalue()


TOKENS = [
    *(
        f"--{BOUNDARY}".encode(),
        f"--{BOUNDARY}--".encode(),
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Disposition: form-data",
    ),
    *(
        b'; name="file"',
        b"; filename*=UTF-8''%ff",
        b'; filename=""',
        b"; name=plan",
        b'name="labels"',
        b"\0",
        b"\xff",
    ),
    *(
        b"Content-Type: text/plain; charset=utf-7\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"\x89PNG",
        b"PK\3\4",
    ),
    *(b"../../x", b"\\", b'"' * 3, b"{" * 60, b"[" * 60, b"1e999", b"A" * 300_000),
]
TARGET = Target("upload", lambda: list(_seeds()), _feed, TOKENS)
