"""The addresses of Cluster Serving's HTTP front end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from experiment.images.header import Limits
from experiment.queue.records import Job
from gateway.cluster_serving.front_end import front_end
from gateway.cluster_serving.instances import new_jobs
from gateway.cluster_serving.predictions import prediction
from gateway.cluster_serving.servables import Servable
from gateway.http.asked import one, options, seconds_to_wait
from gateway.routes.pages import EVERYWHERE
from gateway.routes.schemas import WAIT, record
from gateway.services import services
from gateway.table import JSON, Answer, Route
from httpserver.client_socket import hung_up
from httpserver.problems import Refused

WELCOME: Final = "welcome to analytics zoo web serving frontend"


def welcome() -> ResponseReturnValue:
    """The text by which its clients know it."""
    return Response(WELCOME, mimetype="text/plain")


def models() -> ResponseReturnValue:
    """All models."""
    front = front_end()
    with front.timers.timed("request.overall"), front.timers.timed("retrive.servables"):
        return jsonify([each.meta_data for each in front.servables])


def model(name: str) -> ResponseReturnValue:
    """All versions of a model."""
    front = front_end()
    with front.timers.timed("request.overall"), front.timers.timed("retrive.servables"):
        return jsonify([each.meta_data for each in front.named(name)])


def model_version(name: str, version: str) -> ResponseReturnValue:
    """One version of a model."""
    front = front_end()
    with front.timers.timed("request.overall"), front.timers.timed("retrive.servable"):
        return jsonify(front.named(name, version)[0].meta_data)


def predict() -> ResponseReturnValue:
    """Ask the first model."""
    return _predict(front_end().servables[0])


def predict_model(name: str, version: str) -> ResponseReturnValue:
    """Ask one version of a model."""
    return _predict(front_end().named(name, version)[0])


def metrics() -> ResponseReturnValue:
    """The timers, or for Prometheus the gateway's metrics."""
    front, accept = front_end(), request.headers.get("Accept", "")
    if "openmetrics" in accept or "text/plain" in accept:
        text, content_type = services().metrics.text(accept)
        return Response(text, content_type=content_type)
    with front.timers.timed("request.overall"), front.timers.timed("request.metrics"):
        return jsonify(front.timers.as_json())


def model_secure() -> ResponseReturnValue:
    """Encrypted models are not offered."""
    why = "Models are not encrypted here. Protect the folder or volume that holds them instead."
    raise Refused("not_offered", why, 501)


def _predict(servable: Servable) -> ResponseReturnValue:
    front, app = front_end(), services()
    with front.timers.timed("request.overall"), front.timers.timed("request.predict"):
        wait_s = one(options(request, ("wait",)), "wait", seconds_to_wait, app.settings.max_wait_s)
        app.bucket.take()
        with ExitStack() as waiting:
            ids = _submitted(servable, waiting)
            is_gone = partial(hung_up, request.environ.get("gunicorn.socket"))
            found = front.results(servable, ids, wait_s, is_gone)
        for job in found:
            service_ms = (job.result or {}).get("stages_ms", {}).get("service")
            if isinstance(service_ms, float | int):
                front.timers.add("backend.inference", service_ms)
        with front.timers.timed("response.handling"):
            _refuse_failed(found)
            return jsonify(predictions=[prediction(job) for job in found])


def _submitted(servable: Servable, waiting: ExitStack) -> list[str]:
    """Ids of the jobs for the request's instances, which are let go of before anybody waits; from here on
    the request is one of those that wait. Raises Refused, ImageRefused, and as Submitter.submit()."""
    app = services()
    limits = Limits(max_bytes=app.settings.max_bytes, max_pixels=app.settings.max_pixels)
    with app.receiver.json(request) as document:
        jobs = new_jobs(document, limits)
        waiting.enter_context(app.waiting.one())
        front_end().submit(servable, jobs)
    return [job.id for job in jobs]


def _refuse_failed(found: Sequence[Job]) -> None:
    """Raises Refused if there is no result at all."""
    if all(job.state == "failed" for job in found):
        reasons = dict.fromkeys(job.reason or "It failed." for job in found)
        raise Refused("job_failed", " ".join(reasons), 422)


_TAG: Final = "Cluster Serving"
_META: Final = record(
    modelName={"type": "string"},
    modelVersion={"type": "string"},
    redisHost={"type": "string"},
    redisPort={"type": "string"},
    redisInputQueue={"type": "string"},
    redisOutputQueue={"type": "string"},
)
_LIST: Final = {"type": "array", "items": _META}
_BODY: Final = {
    JSON: {
        "type": "object",
        "required": ["instances"],
        "properties": {"instances": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    }
}
_PREDICTIONS: Final = {
    200: Answer(
        "For each instance JSON as text, whose `value` is JSON as text with `data` and `shape`.",
        record(predictions={"type": "array", "items": {"type": "string"}}),
    )
}
_FAILURES: Final = (415, 422, 429, 503, 504, 507)
ROUTES: Final = (
    Route("GET", "/", welcome, _TAG, "Whether it is there", {200: Answer("It is.", media_type="text/plain")}),
    Route("GET", "/models", models, _TAG, "All models", {200: Answer("Each version.", _LIST)}),
    Route("GET", "/models/<job:name>", model, _TAG, "A model", {200: Answer("Each version.", _LIST)}, (404,)),
    Route(
        "GET",
        "/models/<job:name>/versions/<job:version>",
        model_version,
        _TAG,
        "A version of a model",
        {200: Answer("The version.", _META)},
        (404,),
    ),
    Route(
        "POST", "/predict", predict, _TAG, "Ask the first model", _PREDICTIONS, _FAILURES, "", (WAIT,), _BODY
    ),
    Route(
        "POST",
        "/models/<job:name>/versions/<job:version>/predict",
        predict_model,
        _TAG,
        "Ask a model",
        _PREDICTIONS,
        (404, *_FAILURES),
        "",
        (WAIT,),
        _BODY,
    ),
    Route(
        "GET",
        "/metrics",
        metrics,
        _TAG,
        "Timers, in ms",
        {200: Answer("One for each part of the work.", {"type": "array", "items": {"type": "object"}})},
    ),
    Route("POST", "/model-secure", model_secure, _TAG, "Not offered", {}, (501,)),
    *EVERYWHERE,
)
