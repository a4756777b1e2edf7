"""Who may use the app: everybody, or only those who have the shared token, if one is set.

A program sends `Authorization: Bearer TOKEN`. A browser sends the token once, in the form on the page that
refuses it, and gets a cookie. The cookie holds a code made from the token, not the token itself: a stolen
cookie does not reveal it, and a new token ends all cookies.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from flask import Blueprint, Flask, current_app, redirect, request
from flask.typing import ResponseReturnValue

from httpserver.problems import Refused

COOKIE = "pixelcost"
OPEN = {"static", "pages.healthz", "pages.readyz", "access.login"}  # what probes and the form itself need
_PATH_HERE = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")  # of this app; "//host" would lead to another site

routes = Blueprint("access", __name__)


def install(app: Flask, token: str) -> None:
    """Require `token` for everything but OPEN; an empty token requires nothing."""
    app.extensions["pixelcost.token"] = token
    app.register_blueprint(routes)
    if token:
        app.before_request(lambda: _require(token))


@routes.post("/login")
def login() -> ResponseReturnValue:
    """Give a browser that sent the token its cookie, and redirect it to the page it wanted."""
    token: str = current_app.extensions["pixelcost.token"]
    if token and not _same(request.form.get("token", "").strip(), token):
        raise Refused("wrong_token", "Check PIXELCOST_TOKEN on the server, then try again.", 401)
    wanted = request.form.get("next", "")
    answer = redirect(request.script_root + (wanted if _PATH_HERE.fullmatch(wanted) else "/"), 303)
    path, secure = request.script_root or "/", request.is_secure
    answer.set_cookie(COOKIE, _code(token), path=path, secure=secure, httponly=True, samesite="Lax")
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
    why = "A program sends `Authorization: Bearer TOKEN`. In a browser, reload the page and enter the token."
    raise Refused("no_token", why, 401)


def _same(given: str, expected: str) -> bool:
    """Compared in a time that depends on neither text, not even on their lengths."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _code(token: str) -> str:
    return hmac.new(token.encode(), b"pixelcost cookie 1", hashlib.sha256).hexdigest()
