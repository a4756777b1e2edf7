"""Turns every error into an answer: application/problem+json (RFC 9457), or a small page for a browser.

`type` is stable and made from the error's code; `title` says what happened; `detail` says why and what to do.
The answer to a bug also has a reference, which is the request's id in the log.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from flask import Flask, Response, current_app, g, json, render_template, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from experiment.errors import ImageRefused, PixelcostError, PlanRefused, VariantsRefused
from httpserver.problems import (
    CRASH_TITLE,
    MEDIA_TYPE,
    REFUSALS,
    Refused,
    headers_of,
    headers_of_http,
    problem,
)
from webapp.added_servers import ServerRefused
from webapp.config import Settings
from webapp.storage_errors import is_busy, is_no_room

log = logging.getLogger(__name__)

TITLES: Final = {
    "no_file": "The request has no photo.",
    "bad_part": "The form can't be read.",
    "bad_host": "This host name is not allowed.",
    "too_many_files": "The request has too many photos.",
    "no_photos": "The request has no photos.",
    "bad_price": "This price is not valid.",
    "bad_uplink": "This uplink speed is not valid.",
    "not_comparable": "These two runs can't be compared.",
    "labels_refused": "These labels can't be used.",
    "not_a_form": "The photo must be sent as a form.",
    "broken_upload": "The upload is incomplete.",
    "unknown_fields": "The form has unknown fields.",
    "bad_label": "This label is not valid.",
    "variants_refused": "These variants can't be used.",
    "plan_refused": "This plan can't be run.",
    "no_backends": "No backend is available.",
    "no_answers": "No backend answered.",
    "too_many_runs": "The queue is full.",
    "large_photo_waits": "Another large photo is being processed.",
    "too_many_uploads": "Too many uploads at the same time.",
    "no_such_run": "Run not found.",
    "not_a_set": "Only available for photo sets.",
    "not_in_set": "There is no such variant, backend or class.",
    "no_such_variant": "Variant not found.",
    "no_such_picture": "Picture not found.",
    "sample_run": "Not available for the sample run.",
    "no_such_backend": "Backend not found.",
    "not_for_photos": "This backend can't classify photos.",
    "no_decode_signature": "This model can't show its decoded input.",
    "not_seen": "The backend did not return the model's input.",
    "no_answer": "The backend gave no answer.",
    "no_recommendation": "This run recommends nothing that can be done here.",
    "too_many_answers": "Too many photos at the same time.",
    "run_measures": "A run is in progress.",
    "of_many_photos": "Not available for photo sets.",
    "report_refused": "This report can't be opened.",
    "not_imported": "Not available for imported runs.",
    "run_is_live": "This run is still being measured.",
    "too_many_follow_ups": "This run has reached its limit of follow-ups.",
    "no_bytes": "This run's images are no longer stored.",
    "nothing_measured": "Nothing was measured in this run.",
    "backend_changed": "A backend has changed since this run.",
    "server_refused": "This server can't be added.",
    "servers_not_allowed": "Servers can't be added here.",
    "no_such_model": "Model not found.",
    "model_refused": "This model can't be started or stopped.",
    "needs_download": "This model has to be downloaded first.",
    "too_many_tests": "Too many tests.",
    "bad_prefix": "The proxy's X-Forwarded-Prefix is not a valid path.",
    "bad_query": "A value in the request is not valid.",
    "cross_site": "Requests from other sites are refused.",
    "not_ready": "No backend is ready.",
    "storage_full": "This server is out of disk space.",
    "database_busy": "The database is busy or unreachable.",
    "no_token": "A token is required.",
    "wrong_token": "The token is wrong.",
}
IMAGE_TITLE: Final = "This photo can't be used."

NO_ROOM: Final = (
    "Nothing can be stored. Remove runs in the history, or free space in the data folder and the folder "
    "for temporary files; then try again. Earlier results are kept."
)
BUSY: Final = "Another program has locked it, or it can't be reached. Try again in a few seconds."
BUSY_RETRY_S: Final = 5


def install(app: Flask) -> None:
    """Make `app` answer every error in this way."""
    app.register_error_handler(PixelcostError, _refusal)
    app.register_error_handler(HTTPException, _http_refusal)
    app.register_error_handler(ParseException, _broken_chunks)
    app.register_error_handler(SQLAlchemyError, _storage_failure)
    app.register_error_handler(OSError, _storage_failure)
    app.register_error_handler(Exception, _crash)


def _refusal(error: PixelcostError) -> Response:
    is_image = isinstance(error, ImageRefused) and error.code not in TITLES
    title = IMAGE_TITLE if is_image else TITLES.get(error.code, "This can't be done.")
    more: dict[str, Any] = {}
    if isinstance(error, PlanRefused | VariantsRefused):
        more = {"problems": list(error.problems)}
    if isinstance(error, ServerRefused):
        more = {"fields": dict(error.fields)}
    response = _answer(error.http_status, error.code, title, error.message, more)
    response.headers.update(headers_of(error, getattr(error, "retry_after_s", None)))
    return response


def _http_refusal(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect
    code, title, detail = REFUSALS.get(status, ("http_error", f"{error.name}.", ""))
    if status == 413:
        is_upload = request.max_content_length != current_app.config["MAX_CONTENT_LENGTH"]
        body_limit_kb = current_app.config["MAX_CONTENT_LENGTH"] / 1e3
        detail = _size_limit() if is_upload else f"The limit at this address is {body_limit_kb:g} kB."
    if status == 404:
        detail = "docs/http-api.md lists the routes."
    response = _answer(status, code, title, detail or error.description or "")
    response.headers.update(headers_of_http(error))
    return response


def _broken_chunks(error: Exception) -> Response:
    """A malformed body, which gunicorn finds while the app reads it."""
    return _answer(400, "broken_upload", TITLES["broken_upload"], f"{error}.")


def _size_limit() -> str:
    settings: Settings = current_app.extensions["pixelcost"].settings
    one_mb, set_mb = settings.max_bytes / 1e6, settings.max_set_bytes / 1e6
    variants_mb = settings.max_with_variants_bytes / 1e6
    return (
        f"The limit for a photo is {one_mb:g} MB. Make it smaller first, or save it as JPEG. "
        f"A photo set may have {set_mb:g} MB in total: POST /api/runs?photos=many. A photo with variants "
        f"made in a browser may have {variants_mb:g} MB in total, and {one_mb:g} MB per file: "
        "POST /api/runs?variants=browser."
    )


def _storage_failure(error: Exception) -> Response:
    """A full disk or a busy database: not the client's mistake, and not a bug. Anything else is a bug."""
    if is_no_room(error):
        log.error("out of disk space: %s", getattr(error, "orig", error))
        return _refusal(Refused("storage_full", NO_ROOM, 507))
    if is_busy(error):
        log.error("the database is busy or unreachable: %s", getattr(error, "orig", error))
        return _refusal(Refused("database_busy", BUSY, 503, BUSY_RETRY_S))
    return _crash(error)


def _crash(error: Exception) -> Response:
    log.error("a request crashed", exc_info=error)
    detail = f"Your settings are kept. Reference {g.request_id}."
    return _answer(500, "internal", CRASH_TITLE, detail, {"reference": g.request_id})


def _answer(status: int, code: str, title: str, detail: str, more: dict[str, Any] | None = None) -> Response:
    g.problem_code = code
    if _wants_page():
        page = render_template("problem.html", status=status, title=title, detail=detail)
        return Response(page, status, content_type="text/html; charset=utf-8")
    body = json.dumps(problem(status, code, title, detail) | (more or {}))
    return Response(body, status, content_type=MEDIA_TYPE)


def _wants_page() -> bool:
    """Browsers get a page, except for addresses that only scripts use."""
    if request.path.endswith(".json") or request.path.startswith(
        ("/api/", "/upload", "/static/", "/healthz", "/readyz", "/metrics")
    ):
        return False
    best = request.accept_mimetypes.best_match(["application/problem+json", "text/html"])
    return best == "text/html"
