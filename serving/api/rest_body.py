"""Reads the body of a REST request within the limit, and unpacks it if it is compressed."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

from serving.errors import InvalidArgument, TooLarge, UnknownEncoding
from serving.limits import BODY_LIMIT_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# x-gzip is the same (RFC 9110, 8.4.1.3). TensorFlow Serving takes no other either (util/net_http).
GZIP = {"gzip", "x-gzip"}
PLAIN = {"", "identity"}
MEMBER_START = b"\x1f\x8b\x08"
MEMBERS_LIMIT = 10_000  # RFC 1952 allows any number; bgzip makes one of every 64 kB


def read(environ: WSGIEnvironment) -> bytes:
    """The unpacked body. Raises UnknownEncoding, TooLarge, or InvalidArgument if it is not valid gzip."""
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in GZIP | PLAIN:
        raise UnknownEncoding(
            f"Content-Encoding {encoding!r} is not accepted. Send the body as gzip (or x-gzip), "
            "or uncompressed and without that header."
        )
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > BODY_LIMIT_BYTES:
        raise TooLarge(f"The body has {length} bytes; the limit is {BODY_LIMIT_BYTES}. Send a smaller image.")
    body = bytes(environ["wsgi.input"].read(length))
    return _unpacked(body) if encoding in GZIP else body


def _unpacked(body: bytes) -> bytes:
    """All gzip members of a body. A small one may unpack to a huge one, or have very many empty members."""
    if body.count(MEMBER_START) > MEMBERS_LIMIT:
        raise InvalidArgument(f"The body has over {MEMBERS_LIMIT} gzip members. Compress it as one.")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
            text = members.read(BODY_LIMIT_BYTES + 1)
    except EOFError as problem:
        raise InvalidArgument("The gzip body is cut off. Send all of it.") from problem
    except (OSError, zlib.error) as problem:
        raise InvalidArgument(f"The body is not the gzip that its header says: {problem}.") from problem
    if len(text) > BODY_LIMIT_BYTES:
        raise TooLarge(f"The unpacked body has over {BODY_LIMIT_BYTES} bytes. Send a smaller image.")
    return text
