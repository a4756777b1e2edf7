"""Probes, metrics, the OpenAPI document and its viewer."""

from __future__ import annotations

from typing import Final

from flask import Response, current_app, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from experiment import __version__
from experiment.queue.connection import QueueUnavailable
from gateway.http.openapi import document
from gateway.routes.schemas import SCHEMAS, record
from gateway.services import services
from gateway.table import Answer, Route


def home() -> ResponseReturnValue:
    """To the documentation."""
    return redirect(f"{request.script_root}/docs", 302)


def healthz() -> ResponseReturnValue:
    """The process is alive."""
    return jsonify(status="ok")


def readyz() -> ResponseReturnValue:
    """Whether the folder of models is served; without one, whether jobs can be accepted: Redis answers."""
    if models := services().models:
        why_not = models.why_not_ready()
        return jsonify(status="not ready" if why_not else "ready", reason=why_not), 503 if why_not else 200
    try:
        services().queue.depth()
    except QueueUnavailable as error:
        return jsonify(status="not ready", reason=error.message), 503
    return jsonify(status="ready", reason=None)


def metrics() -> ResponseReturnValue:
    """What Prometheus reads."""
    text, content_type = services().metrics.text(request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)


def openapi() -> ResponseReturnValue:
    """The document of all routes of this app."""
    table = current_app.extensions["gateway.routes"]
    has_token = bool(services().settings.shared_token)
    return jsonify(document(table, SCHEMAS, "Pixelcost gateway", __version__, has_token=has_token))


def docs() -> ResponseReturnValue:
    """The document, to read and to try."""
    return render_template("api_docs.html")


_STATUS: Final = "The gateway"
_OBJECT: Final = {"type": "object"}
_READY: Final = record(status={"type": "string"}, reason={"type": ["string", "null"]})
EVERYWHERE: Final = (  # on every port
    Route(
        "GET",
        "/healthz",
        healthz,
        _STATUS,
        "Whether the process is alive",
        {200: Answer("It is.", record(status={"type": "string"}))},
    ),
    Route(
        "GET",
        "/readyz",
        readyz,
        _STATUS,
        "Whether Redis answers, or the folder of models is served",
        {200: Answer("It does.", _READY), 503: Answer("It does not; the reason.", _READY)},
    ),
    Route("GET", "/openapi.json", openapi, _STATUS, "This document", {200: Answer("OpenAPI 3.1.", _OBJECT)}),
    Route("GET", "/docs", docs, _STATUS, "This page", {200: Answer("A page.", media_type="text/html")}),
)
ROUTES: Final = (
    Route(
        "GET",
        "/",
        home,
        _STATUS,
        "To the documentation",
        {302: Answer("To /docs.", media_type="text/html")},
    ),
    Route(
        "GET",
        "/metrics",
        metrics,
        _STATUS,
        "Metrics for Prometheus",
        {200: Answer("OpenMetrics.", media_type="application/openmetrics-text")},
    ),
    *EVERYWHERE,
)
