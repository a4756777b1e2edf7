"""Problems as application/problem+json (RFC 9457): `type` is stable and made from the problem's code."""

from __future__ import annotations

import json
from typing import Any, Final

from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from experiment.errors import PixelcostError

TYPE_PREFIX: Final = "urn:pixelcost:problem:"
MEDIA_TYPE: Final = "application/problem+json"
CRASH_TITLE: Final = "Something went wrong on our side."

# What HTTP itself refuses: status -> code, title, detail.
REFUSALS: Final = {
    400: ("bad_request", "The request is malformed.", ""),
    404: ("not_found", "This address does not exist.", ""),
    405: ("method_not_allowed", "This address does not accept that method.", "See the Allow header."),
    408: ("timeout", "The request took too long to arrive.", "Try a smaller photo or a faster connection."),
    413: ("too_large", "The request is too large.", ""),
    414: (
        "uri_too_long",
        "The address is too long.",
        "Shorten it, for example its query.",
    ),
    415: ("unsupported_media_type", "This content type is not supported.", ""),
    431: (
        "headers_too_large",
        "The request's headers are too large.",
        "The usual cause is cookies of other apps on this host. Delete them in the browser.",
    ),
}


class Refused(PixelcostError):
    """A request that a web process itself refuses. `code` is a key of its table of titles."""

    def __init__(self, code: str, message: str, http_status: int = 400, retry_after_s: int | None = None):
        super().__init__(message, code, http_status)
        self.retry_after_s = retry_after_s


def problem(status: int, code: str, title: str, detail: str) -> dict[str, Any]:
    """The members of a problem."""
    return {"type": TYPE_PREFIX + code, "title": title, "status": status, "detail": detail, "code": code}


def headers_of(error: PixelcostError, retry_after_s: int | None) -> dict[str, str]:
    """What a client needs to know beside the problem: when to try again, how to log in."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if error.http_status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Pixelcost"'
    return headers


def headers_of_http(error: HTTPException) -> dict[str, str]:
    """The same of a refusal by HTTP itself."""
    return {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}


def written(status: int, why: str = "") -> bytes:
    """A whole HTTP response that refuses a request which never reaches the app, and closes the connection."""
    code, title, detail = REFUSALS.get(status, REFUSALS[400])
    body = json.dumps(problem(status, code, title, detail or why)).encode()
    head = (
        f"HTTP/1.1 {status} {HTTP_STATUS_CODES.get(status, 'Error')}\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
