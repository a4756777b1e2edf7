"""A span around each request to the page, if traces are on: what it starts belongs to it."""

from __future__ import annotations

from flask import Flask, Response, g, request

from common import traces

UNTOLD = {"pages.healthz", "pages.readyz", "pages.metrics", "static"}  # asked all the time, and never slow


def install(app: Flask) -> None:
    """Tell requests. Without traces nothing is added to the app."""
    if not traces.is_on():
        return

    @app.before_request
    def begin() -> None:
        if request.endpoint in UNTOLD:
            return
        route = request.url_rule.rule if request.url_rule else "(none)"
        g.work = traces.Work(f"{request.method} {route}", request.headers.get(traces.HEADER)).__enter__()
        g.work.attributes |= {"http.request.method": request.method, "http.route": route}

    @app.after_request
    def note(response: Response) -> Response:
        if "work" in g:
            g.work.attributes["http.response.status_code"] = response.status_code
            if response.status_code >= 500:
                g.work.failure = response.status
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if work := g.pop("work", None):
            work.__exit__(None, None, None)
