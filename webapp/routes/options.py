"""/api/config, /api/backends and /api/schema: options and limits of a run, backends, the report's schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from common.checks import PRICE_LIMIT
from experiment import __version__
from experiment.axes import BROWSER_FORMATS, ENGINES, plan_dict
from experiment.codec import to_dict
from experiment.copies import LEAST_MBIT_S, MOST_MBIT_S
from experiment.export.report_json import SCHEMA
from experiment.figures.view import FEW_PHOTOS
from experiment.file_names import SYSTEM_NAMES
from experiment.images.formats import FORMATS, SUBSAMPLINGS
from experiment.images.header import formats_read
from experiment.images.resize import RESAMPLERS
from experiment.measure.plan import RANGES, parse_plan
from experiment.measure.schedule import DECODE_REPEATS, DECODE_WARMUPS
from experiment.photo_sets.goals import MARGIN_POINTS as SET_MARGIN_POINTS
from experiment.photo_sets.goals import MARGIN_POINTS_WITHOUT_LABELS
from experiment.photo_sets.label_files import FILE_COLUMNS, LABEL_COLUMNS
from experiment.records import OFFERED_SIZES_PX, Order
from experiment.report.goals import MARGIN_POINTS
from experiment.report.method import DEFINITIONS, VALIDITY, terms
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99
from httpserver.security import refuse_from_other_sites
from webapp.added_servers import MOST_SERVERS, OFF, PROTOCOLS
from webapp.backends import NONE_CONFIGURED, BackendRegistry
from webapp.config import Settings
from webapp.services import services

routes = Blueprint("options", __name__, url_prefix="/api")


@routes.get("/backends")
def backends() -> ResponseReturnValue:
    """Every backend with its state; `?refresh=1` probes them now."""
    registry = services().registry
    if request.args.get("refresh") == "1":
        refuse_from_other_sites()  # even an <img> of another site could send this
        registry.refresh()
    return jsonify(backends_seen(registry))


@routes.get("/schema")
def schema() -> ResponseReturnValue:
    """The report's JSON Schema."""
    return jsonify(SCHEMA)


@routes.get("/config")
def config() -> ResponseReturnValue:
    """Limits, defaults and choices."""
    return jsonify(options(services().settings, services().registry.model()))


def options(settings: Settings, model: Mapping[str, Any]) -> dict[str, Any]:
    """Limits, the plan's defaults and every choice."""
    defaults = plan_dict(parse_plan({}, timeout_s=settings.tf_request_timeout_s))
    return {
        "app_version": __version__,
        "limits": {
            "max_bytes": settings.max_bytes,
            "max_pixels": settings.max_pixels,
            "max_requests": settings.max_requests,
            "max_photos": settings.max_photos,
            "max_set_bytes": settings.max_set_bytes,
            "max_with_variants_bytes": settings.max_with_variants_bytes,
        },
        "plan": {**defaults, "seed": None},  # a random one for each run
        "offered_sizes_px": list(OFFERED_SIZES_PX),
        "formats": [
            {
                "key": key,
                "name": kind.name,
                "lossless": kind.lossless,
                "media_type": kind.media_type,
                "axes": list(kind.axes.values()),  # lists of the plan; their product is encoded
                "why_not": kind.why_not() or None,  # why this server can't write it; null: it can
            }
            for key, kind in FORMATS.items()
        ],
        "photo_formats": [key.lower() for key in formats_read()],
        "ranges": {  # least and most of every number that is typed
            **RANGES,
            "price_per_hour": (0, PRICE_LIMIT),  # below it
            "uplink_mbit_s": (LEAST_MBIT_S, MOST_MBIT_S),
        },
        "samples_for": {"p90": SAMPLES_FOR_P90, "p99": SAMPLES_FOR_P99},  # fewer have no such percentile
        "few_photos": FEW_PHOTOS,  # of a set's photos: a cell of fewer is drawn as uncertain
        "resamplers": list(RESAMPLERS),
        "offered": {
            "jpeg_qualities": defaults["jpeg_qualities"],
            "webp_qualities": defaults["webp_qualities"],
            "avif_qualities": defaults["avif_qualities"],
            "subsamplings": list(SUBSAMPLINGS),
            "resamplers": list(RESAMPLERS),
        },
        "browser": {"engines": list(ENGINES), "formats": list(BROWSER_FORMATS)},
        "decode_requests": {"warmups": DECODE_WARMUPS, "repeats": DECODE_REPEATS},  # at most, per cell
        "orders": list(get_args(Order)),
        "margins": {  # in points, unless the plan says otherwise
            "photo": MARGIN_POINTS,
            "labelled": SET_MARGIN_POINTS,
            "unlabelled": MARGIN_POINTS_WITHOUT_LABELS,
        },
        "definitions": terms(DEFINITIONS),  # for the page's help: what each number means
        "validity": terms(VALIDITY),
        "keep_runs": settings.keep_runs,
        "needs_token": bool(settings.shared_token),
        "system_names": sorted(SYSTEM_NAMES),  # of files that are left out of a photo set
        "add_servers": {
            "why_not": None if settings.can_add_servers else OFF,
            "most": MOST_SERVERS,
            "protocols": list(PROTOCOLS),
            "model": settings.model_name,  # unless the server's own is named, as the signature
            "signature": settings.model_signature_name,
        },
        "labels": list(model.get("labels", ())),
        "knows_wordnet_ids": bool(model.get("wnids")),
        "label_columns": {"file": list(FILE_COLUMNS), "label": list(LABEL_COLUMNS)},  # of a CSV of labels
    }


def backends_seen(registry: BackendRegistry) -> dict[str, Any]:
    """Every backend as last probed, and the model; `detail` says what to do if there are none."""
    processes = registry.processes()
    rows = [to_dict(info) | processes.get(info.name, {}) for info in registry.backends()]
    model = dict(registry.model())
    model.pop("labels", None)  # they are many, and among the options
    return {"backends": rows, "model": model, "detail": "" if rows else NONE_CONFIGURED}
