"""Turns every error of the gateway into application/problem+json."""

from __future__ import annotations

import errno
import logging
from typing import Any, Final

from flask import Flask, Response, current_app, g, json, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

from experiment.errors import ImageRefused, PixelcostError
from httpserver.problems import (
    CRASH_TITLE,
    MEDIA_TYPE,
    REFUSALS,
    Refused,
    headers_of,
    headers_of_http,
    problem,
)

TITLES: Final = {
    "bad_field": "The form has a field that can't be used.",
    "bad_host": "This host name is not allowed.",
    "bad_id": "This id can't be used.",
    "bad_instances": "The instances can't be read.",
    "bad_prefix": "The proxy's X-Forwarded-Prefix is not a valid path.",
    "bad_query": "A value in the request is not valid.",
    "broken_upload": "The upload is incomplete.",
    "cross_site": "Requests from other sites are refused.",
    "format_not_read": "Model servers may not read this format.",
    "job_conflict": "Another job has this id.",
    "job_failed": "The job failed.",
    "job_is_open": "The job has not ended.",
    "late_job": "The job has not ended in time.",
    "no_answer": "The backend gave no answer.",
    "no_backends": "No backend is configured.",
    "no_file": "The request has no photo.",
    "no_such_backend": "Backend not found.",
    "no_such_job": "Job not found.",
    "no_such_model": "Model not found.",
    "no_token": "A token is required.",
    "not_offered": "This is not offered here.",
    "queue_full": "The queue is full.",
    "queue_unavailable": "The queue can't be reached.",
    "storage_full": "The gateway is out of disk space.",
    "too_fast": "Too many requests.",
    "too_many_files": "The request has too many photos.",
    "too_many_uploads": "Too many uploads at the same time.",
    "too_many_waiting": "Too many requests wait for jobs.",
    "wrong_token": "The token is wrong.",
}
IMAGE_TITLE: Final = "This photo can't be used."
AGAIN_S: Final = 5  # Retry-After while Redis is away
NO_ROOM: Final = "The folder for temporary files is full. Free space there, then send the photo again."

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Make `app` answer every error in this way."""
    app.register_error_handler(PixelcostError, _refusal)
    app.register_error_handler(HTTPException, _http_refusal)
    app.register_error_handler(ParseException, _broken_chunks)
    app.register_error_handler(OSError, _no_room)
    app.register_error_handler(Exception, _crash)


def members(error: PixelcostError) -> dict[str, Any]:
    """The members of the problem that an error is."""
    title = TITLES.get(error.code) or (IMAGE_TITLE if isinstance(error, ImageRefused) else error.code)
    return problem(error.http_status, error.code, title, error.message)


def retry_after_s(error: PixelcostError) -> int | None:
    """When to try again; None: that would not help."""
    default = AGAIN_S if error.http_status == 503 else None
    seconds: int | None = getattr(error, "retry_after_s", default)
    return seconds


def _refusal(error: PixelcostError) -> Response:
    response = _answer(members(error))
    response.headers.update(headers_of(error, retry_after_s(error)))
    return response


def _http_refusal(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect
    code, title, detail = REFUSALS.get(status, ("http_error", f"{error.name}.", ""))
    if status == 404:
        detail = 'GET /docs lists the routes. In the id of a job, "/" is written %2F and "%" is written %25.'
    if status == 413:
        detail = f"The limit at this address is {(request.max_content_length or 0) / 1e6:g} MB."
    response = _answer(problem(status, code, title, detail or error.description or ""))
    response.headers.update(headers_of_http(error))
    return response


def _broken_chunks(error: Exception) -> Response:
    """A malformed body, which gunicorn finds while the app reads it."""
    return _refusal(Refused("broken_upload", f"{error}."))


def _no_room(error: OSError) -> Response:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        log.error("out of disk space: %s", error)
        return _refusal(Refused("storage_full", NO_ROOM, 507))
    return _crash(error)


def _crash(error: Exception) -> Response:
    log.error("a request crashed", exc_info=error)
    return _answer(problem(500, "internal", CRASH_TITLE, f"Reference {g.request_id}."))


def _answer(members: dict[str, Any]) -> Response:
    g.problem_code = members["code"]
    body = current_app.json.dumps(members) if current_app else json.dumps(members)
    return Response(body, members["status"], content_type=MEDIA_TYPE)
