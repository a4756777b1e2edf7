"""Who may use the app: anybody, or who knows the shared token where one is set.

A program sends `Authorization: Bearer TOKEN`. A browser sends the token once, by the form that
every refused page shows, and then a cookie. The cookie holds not the token but a code made from it:
it opens the app and ends with the token, but who steals it still doesn't know the token.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from flask import Blueprint, Flask, current_app, redirect, request
from flask.typing import ResponseReturnValue

from webapp.problems import Refused

COOKIE = "pixelcost"
OPEN = {"static", "views.healthz", "views.readyz", "access.login"}  # what probes and the form itself need
_PATH_HERE = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")  # not "//host": that would lead to another site

routes = Blueprint("access", __name__)


def install(app: Flask, token: str) -> None:
    """Ask for `token` before everything but OPEN; for nothing where it is empty."""
    app.extensions["pixelcost.token"] = token
    app.register_blueprint(routes)
    if token:
        app.before_request(lambda: _require(token))


@routes.post("/login")
def login() -> ResponseReturnValue:
    """Give a browser that sent the token its cookie, and send it back to where it wanted to go."""
    token: str = current_app.extensions["pixelcost.token"]
    if token and not _same(request.form.get("token", "").strip(), token):
        raise Refused(
            "wrong_token", "Compare it with the PIXELCOST_TOKEN of the server, then try again.", 401
        )
    answer = redirect(request.script_root + _where_to(request.form.get("next", "")), 303)
    answer.set_cookie(
        COOKIE,
        _code(token),
        path=request.script_root or "/",
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _require(token: str) -> None:
    if request.endpoint in OPEN:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and _same(given.strip(), token):
        return
    if _same(request.cookies.get(COOKIE, ""), _code(token)):
        return
    if scheme:
        raise Refused("wrong_token", "Send `Authorization: Bearer TOKEN` with the server's token.", 401)
    raise Refused(
        "no_token",
        "This server asks for its token. A program sends `Authorization: Bearer TOKEN`; in a browser, "
        "reload the page and enter it there.",
        401,
    )


def _same(given: str, expected: str) -> bool:
    """Compared in a time that tells nothing, not even the length."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _code(token: str) -> str:
    return hmac.new(token.encode(), b"pixelcost cookie 1", hashlib.sha256).hexdigest()


def _where_to(path: str) -> str:
    """`path` if it is one of this app, else the start."""
    return path if _PATH_HERE.fullmatch(path) else "/"
