"""POST /upload: the interface of the 2018 demo, answered by ordinary runs.

Keys and labels are those of ronhanson/tensorflow-image-resizer, so that its scripts still work. Three things
are better, and differ:

- `precision` is the share of the reference's top 5 labels that the variant keeps, in
  percent. The demo's was a ratio of scores and could exceed 100.
- Durations, in seconds, are medians of several requests; the demo's were single ones.
- Sizes above the original are skipped, and a server that fails is left out of
  `predictions`. The demo sent the original again, and failed as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from statistics import fmean
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from experiment.measure.plan import parse_plan
from httpserver.problems import Refused
from webapp.routes.runs import backends_for
from webapp.services import services

WARMUPS, REPEATS = 1, 3
WANTED = {"formats": ["jpeg"], "warmups": WARMUPS, "repeats": REPEATS, "split_decode": False}

routes = Blueprint("upload2018", __name__)


@routes.post("/upload")
def upload() -> ResponseReturnValue:
    """Run the photo as JPEG in all sizes, wait for the end, answer as the demo did."""
    app = services()
    with app.uploads.photo(request, known_fields=None) as submission:
        plan = parse_plan(WANTED, timeout_s=app.settings.tf_request_timeout_s)
        live = app.runs.submit(submission, plan, backends_for(plan))
    while not live.ended.wait(1.0):
        if app.runs.is_closing:
            raise Refused("broken_upload", "The server is shutting down. Send the photo again.", 503, 10)
    return jsonify(answer_2018(app.reports.report(live.id)))


def answer_2018(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report with the demo's keys. Raises Refused when no backend answered."""
    cells = {(cell["variant_id"], cell["backend_name"]): cell for cell in report["cells"] if cell["count"]}
    if not cells:
        reasons = [reason["message"] for cell in report["cells"] for reason in cell["failure_reasons"]]
        failure = (report["failure"] or {}).get("message")
        raise Refused("no_answers", failure or next(iter(reasons), "Every backend is down."), 502)
    source, variants = report["source"], report["variants"]
    derivatives = {_label(variant): _derivative(variant, cells, source["name"]) for variant in variants}
    file = {
        "filename": source["name"],
        "content_type": source["media_type"],
        "filesize": source["size_bytes"],
        "server_names": list(dict.fromkeys(name for _, name in cells)),
        "sizes": list(derivatives),
        "derivatives": derivatives,
    }
    return {"files": [file]}


def _label(variant: Mapping[str, Any]) -> str:
    """ "Orig. 550x636" for the original; for others the box that they fit into: "512x512"."""
    if variant["is_reference"]:
        return f"Orig. {variant['width_px']}x{variant['height_px']}"
    return f"{variant['size_px']}x{variant['size_px']}"


def _derivative(
    variant: Mapping[str, Any], cells: Mapping[tuple[str, str], Mapping[str, Any]], name: str
) -> dict[str, Any]:
    stages = () if variant["is_reference"] else ("resize_ms", "encode_ms")  # timed together, as in the demo
    resize_s = sum(variant[stage] or 0.0 for stage in stages) / 1e3
    predictions = {
        backend: _prediction(cell, resize_s)
        for (variant_id, backend), cell in cells.items()
        if variant_id == variant["id"]
    }
    label = _label(variant)
    return {
        "filename": name if variant["is_reference"] else f"{PurePath(name).stem}.{label}.jpg",
        "resized": "Reference" if variant["is_reference"] else label,
        "image_size": f"{variant['width_px']}x{variant['height_px']}",
        "format": variant["format"].upper(),
        "filesize": variant["size_bytes"],
        "filesize_percent": variant["percent_of_original"],
        "resize_duration": resize_s,
        "average_precision": _mean(prediction["precision"] for prediction in predictions.values()),
        "average_duration": _mean(prediction["predict_duration"] for prediction in predictions.values()),
        "predictions": predictions,
    }


def _prediction(cell: Mapping[str, Any], resize_s: float) -> dict[str, Any]:
    predict_s = cell["p50_ms"] / 1e3
    overlap = cell["top5_overlap"]
    return {
        "results": {label["label"]: label["score"] for label in cell["top"]},
        "predict_duration": predict_s,
        "total_duration": round(predict_s + resize_s, 6),
        "precision": None if overlap is None else min(100.0, 100.0 * overlap),
    }


def _mean(values: Any) -> float | None:
    """The mean over the servers that have a value; None if none has."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
