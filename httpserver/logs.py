"""Structured logs: one JSON object per line, each with the id of its request."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from typing import Any, Protocol
from urllib.parse import quote

from flask import Flask, Response, g, has_request_context, request

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Counts(Protocol):
    """Where answered requests are counted."""

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One HTTP request; `seconds` is None for streams."""

    def refused(self, code: str) -> None:
        """One request was refused."""


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


def log_config(log_level: str, log_format: str) -> dict[str, Any]:
    """The configuration of the logging module, for the app and for gunicorn; `log_format`: json or text."""
    level = log_level.upper()
    stderr = {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": log_format}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "httpserver.logs.JsonFormatter"},
            "text": {"format": "%(asctime)s %(levelname)s %(message)s", "datefmt": "%H:%M:%S"},
        },
        "handlers": {"stderr": stderr},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level, "handlers": [], "propagate": True}},
    }


def install(app: Flask, metrics: Counts, *, trust_ids: bool) -> None:
    """Give every request an id and a log line, and count it in the metrics."""
    access = logging.getLogger(f"{app.name}.access")

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
        _log_request(access, response, seconds)
        return response


def _log_request(access: logging.Logger, response: Response, seconds: float) -> None:
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
    path = quote(request.path, safe="/%")  # no line breaks in text logs
    access.log(level, "%s %s %s", request.method, path, response.status_code, extra={"fields": fields})
