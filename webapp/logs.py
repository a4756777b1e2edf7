"""Structured logs: one JSON object per line, each with the id of its request."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, has_request_context, request

from webapp.config import Settings
from webapp.metrics import Metrics

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

access = logging.getLogger("webapp.access")


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON, with the keys of `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Turn `record` into its line."""
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{second}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_config(settings: Settings) -> dict[str, Any]:
    """The configuration of the logging module, for the app and for gunicorn."""
    level = settings.log_level.upper()
    stderr = {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": settings.log_format}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "webapp.logs.JsonFormatter"},
            "text": {"format": "%(asctime)s %(levelname)s %(message)s", "datefmt": "%H:%M:%S"},
        },
        "handlers": {"stderr": stderr},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level, "handlers": [], "propagate": True}},
    }


def install(app: Flask, metrics: Metrics, *, trust_ids: bool) -> None:
    """Give every request an id and a log line, and count it in the metrics."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if trust_ids and _SANE_ID.fullmatch(given) else secrets.token_hex(3)
        g.started = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "(none)"
        is_stream = response.mimetype == "text/event-stream"
        method = request.method if request.method in METHODS else "OTHER"  # else clients could add metrics
        metrics.answered(method, route, response.status_code, None if is_stream else seconds)
        if "problem_code" in g:
            metrics.refused(g.problem_code)
        _log_request(response, seconds)
        return response


def _log_request(response: Response, seconds: float) -> None:
    level = logging.DEBUG if request.path in {"/healthz", "/readyz", "/metrics"} else logging.INFO
    fields = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "duration_ms": round(seconds * 1e3, 1),
        "client": request.remote_addr,
    }
    if "problem_code" in g:
        fields["problem"] = g.problem_code
    path = quote(request.path, safe="/")  # no line breaks in text logs
    access.log(level, "%s %s %s", request.method, path, response.status_code, extra={"fields": fields})
