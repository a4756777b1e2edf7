"""For the page's inspector of one variant: its plots, the model's decoded input, and "copy as"."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from experiment.backends.addresses import REST_SUFFIX
from experiment.backends.base import RequestFailed
from experiment.backends.model_input import seen
from experiment.codec import from_dict
from experiment.copy_as.commands import KINDS, Target, file_name, kinds_for
from experiment.copy_as.protoset import FILE_NAME, protoset
from experiment.figures import variant_figures
from experiment.images.png import encode_png
from experiment.records import BackendInfo, Variant
from experiment.wording import sized_name
from httpserver.problems import Refused
from webapp.routes.downloads import theme_asked, variant_row
from webapp.services import services

SEEN_TIMEOUT_S: Final = 15.0
# HTTP status of our answer when the request to the backend failed; 502 for all other causes.
STATUSES: Final = {"not_found": 404, "deadline": 504, "unreachable": 503}

_one_at_a_time = threading.Lock()  # a page requests several pictures at once; a backend gets one by one

routes = Blueprint("inspector", __name__, url_prefix="/api")


@routes.get("/runs/<run_id>/variants/<variant_id>/figures")
def figures_of_variant(run_id: str, variant_id: str) -> ResponseReturnValue:
    """Its stages, and its samples on each backend, as Plotly figures; `?theme=dark` for dark pages."""
    theme, report = theme_asked(), services().reports.report(run_id)
    _variant(report, variant_id)
    return jsonify(variant_figures(report, variant_id, theme))


@routes.get("/runs/<run_id>/variants/<variant_id>/seen.png")
def seen_by_model(run_id: str, variant_id: str) -> ResponseReturnValue:
    """The decoded and resized input of `?backend=`'s model, requested now; never while a run measures."""
    report = services().reports.report(run_id)
    variant, name = _variant(report, variant_id), request.args.get("backend", "")
    info = _that_decodes(_grpc_twin(name, _backends_now(report["backends"], name)))
    content = services().store.blob(run_id, variant.id)
    if content is None:
        raise Refused("no_such_variant", f"The bytes of {variant.id} are not kept.", 404)
    data = b"".join(content)
    with _turn(), services().runs.single_requests.one():
        try:
            picture = seen(info, data, SEEN_TIMEOUT_S)
        except RequestFailed as failed:
            code = failed.failure.code
            raise Refused("not_seen", failed.failure.message, STATUSES.get(code, 502)) from None
    response = Response(encode_png(picture.image), mimetype="image/png")
    response.headers["X-Pixelcost-Scale"] = picture.scale
    if picture.version is not None:
        response.headers["X-Pixelcost-Model-Version"] = str(picture.version)
    return response


@routes.get("/runs/<run_id>/copy/<kind>")
def copy_as(run_id: str, kind: str) -> ResponseReturnValue:
    """The request that sends `?variant=` to `?backend=`, as text for one of KINDS."""
    if kind not in KINDS:
        raise Refused("bad_query", f"The kind must be one of {', '.join(KINDS)}, not {kind}.", 404)
    report = services().reports.report(run_id)
    variant = _variant(report, request.args.get("variant", ""))
    target = _target(report, variant, request.args.get("backend", ""))
    if kind not in kinds_for(target.info):
        fits = " or ".join(kinds_for(target.info))
        why = f"{target.info.name} takes no request of {kind}: copy it as {fits}."
        raise Refused("bad_query", why, 404)
    made = KINDS[kind](target)
    response = Response(made, content_type="text/plain; charset=utf-8")
    response.headers.set("Content-Disposition", "inline", filename=file_name(kind, variant.id))
    return response


@routes.get("/predict.protoset")
def predict_protoset() -> ResponseReturnValue:
    """PredictionService.Predict for grpcurl and ghz, which can't ask TensorFlow Serving for it."""
    response = Response(protoset(), mimetype="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=FILE_NAME)
    return response


def _variant(report: Mapping[str, Any], variant_id: str) -> Variant:
    if report["photo_set"]:
        why = "Photos of a set are not kept. Measure one of them alone to look closer."
        raise Refused("of_many_photos", why, 404)
    return from_dict(Variant, variant_row(report, variant_id))


def _grpc_twin(name: str, known: Mapping[str, BackendInfo]) -> BackendInfo:
    """The backend of that name; for one over REST, the same server over gRPC."""
    info = known.get(name.removesuffix(REST_SUFFIX), known.get(name))
    if info is None:
        names = ", ".join(known) or "none"
        raise Refused("no_such_backend", f"No backend is named {name}. Backends: {names}.", 404)
    return info


def _backends_now(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, BackendInfo]:
    """By name; of those that were added for the run of `rows` only the one of that name."""
    asked = [row for row in rows if row["name"] == name]
    app = services()
    now = app.added.beside(app.registry.backends(), asked, request.remote_addr or "")
    return {info.name: info for info in now}


def _that_decodes(info: BackendInfo) -> BackendInfo:
    """Refuse a request that can only fail. A backend that was down is asked: it may be up again."""
    if not info.is_present:
        raise Refused("not_seen", f"{info.name} is not available: {info.detail}", 503)
    if info.protocol == "queue":
        why = f"{info.name} is a queue, and its jobs are answered with labels only."
        raise Refused("no_decode_signature", f"{why} Ask for a backend over gRPC.", 404)
    if info.protocol != "grpc" or (info.state == "ready" and not info.decode_signature):
        raise Refused(
            "no_decode_signature",
            f"The model on {info.name} has no signature decode_images, so its input can't be shown. "
            "The models of `python -m models export` have one.",
            404,
        )
    return info


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for other requests of this kind, but not for long: every one that waits holds a thread."""
    if not _one_at_a_time.acquire(timeout=SEEN_TIMEOUT_S):
        why = "Other requests for a model's input are in progress. Try again in a few seconds."
        raise Refused("not_seen", why, 503, 5)
    try:
        yield
    finally:
        _one_at_a_time.release()


def _target(report: Mapping[str, Any], variant: Variant, name: str) -> Target:
    """Where to send it: the backend's current address, or that of the run if the backend is gone."""
    known = {row["name"]: from_dict(BackendInfo, row) for row in report["backends"]}
    here = {info.name: info for info in services().registry.backends()}
    known |= {key: info for key, info in here.items() if key not in known or not known[key].added_as}
    info = _grpc_twin(name, known)
    rest = known.get(info.name.removesuffix(REST_SUFFIX) + REST_SUFFIX)
    if "," in info.address and info.protocol != "queue":  # other tools take one address
        info = replace(info, name=f"the first replica of {info.name}", address=info.address.partition(",")[0])
    arguments = {"run_id": report["run_id"], "variant_id": variant.id}
    return Target(
        what=sized_name(variant),
        variant_id=variant.id,
        variant_url=url_for("downloads.variant_bytes", **arguments, _external=True),
        protoset_url=url_for("inspector.predict_protoset", _external=True),
        info=info,
        rest_address=rest.address.partition(",")[0] if rest else None,
        needs_token=bool(services().settings.shared_token),
    )
