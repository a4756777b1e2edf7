"""/api/runs/<id>/photos and /classes: which photos of a set lost their answer, and of which classes they are.

Both take `variant` and `backend`, which answers count; without them all do.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final, cast

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from common.checks import Expected, whole_text
from experiment.photo_sets.explore.photo_index import (
    ClassRow,
    NothingLikeIt,
    Only,
    PhotoAnswer,
    PhotoIndex,
    PhotoRow,
    Wanted,
)
from experiment.photo_sets.shares import share
from experiment.records import PHOTO_PICTURE
from httpserver.problems import Refused
from webapp.routes.imports import refuse_if_imported
from webapp.routes.pictures import thumb_of
from webapp.services import services
from webapp.worker.import_report import IMPORTED

ONLY: Final = ("", "flipped", "wrong")
PAGE_PHOTOS, PAGE_CLASSES, MOST = 24, 50, 100
MOST_PAGE: Final = 1_000_000

routes = Blueprint("photos", __name__, url_prefix="/api/runs")


@routes.get("/<run_id>/photos")
def photos(run_id: str) -> ResponseReturnValue:
    """A page of photos, worst first. `label` names a class, `photo` an index, `only` flipped or wrong."""
    wanted, page, size = _wanted(), _page(), _whole("limit", PAGE_PHOTOS, MOST)
    with _index(run_id) as index:
        found = index.photos(wanted, page, size)
    counts: dict[str, Any] = {key: getattr(found, key) for key in ("photos", "flipped", "wrong", "total")}
    counts["flipped_share"] = _share(found.flipped, found.photos)
    shown = services().store.thumbs.photo_keys(run_id)
    rows = [_photo(row) | {"thumb_url": _thumb_url(run_id, row.index, shown)} for row in found.rows]
    return jsonify({**counts, "page": page, "page_size": size, "rows": rows})


@routes.get("/<run_id>/photos/<int:place>/thumb")
def photo_thumb(run_id: str, place: int) -> ResponseReturnValue:
    """A small picture of one photo, by its `index` in the list of photos."""
    return thumb_of(run_id, f"{PHOTO_PICTURE}{place}")


@routes.get("/<run_id>/classes")
def classes(run_id: str) -> ResponseReturnValue:
    """A page of classes, those with the largest share of flipped photos first."""
    wanted, page, size = _wanted(), _page(), _whole("limit", PAGE_CLASSES, MOST)
    with _index(run_id) as index:
        found = index.classes(wanted, page, size)
    rows = [_class(row) for row in found.rows]
    return jsonify({"total": found.total, "by": found.by, "page": page, "page_size": size, "rows": rows})


@contextmanager
def _index(run_id: str) -> Iterator[PhotoIndex]:
    """The answers of a set. Raises NoSuchRun, or Refused: it has none, or none like those asked for."""
    run = services().store.run(run_id)
    refuse_if_imported({IMPORTED: run.state == "imported"})
    with services().set_photos.index(run_id) as index:
        if index is None:
            raise Refused(
                "not_a_set", f"Run {run_id} is about one photo. Its answers are in the report.", 404
            )
        try:
            yield index
        except NothingLikeIt as nothing:
            raise Refused(
                "not_in_set", f"Run {run_id} has {nothing}, or has not measured it yet.", 404
            ) from None


def _wanted() -> Wanted:
    """What the query asks for. Raises Refused."""
    asked = {key: request.args.get(key, "") for key in ("variant", "backend", "label", "only")}
    if asked["only"] not in ONLY:
        raise Refused("bad_query", "only must be flipped or wrong; leave it out for all photos.")
    place = _whole("photo", 0, MOST_PAGE, least=0) if request.args.get("photo") else None
    return Wanted(asked["variant"], asked["backend"], asked["label"], place, cast(Only, asked["only"]))


def _page() -> int:
    return _whole("page", 1, MOST_PAGE)


def _whole(key: str, default: int, most: int, least: int = 1) -> int:
    """A whole number of the query. Raises Refused."""
    try:
        return whole_text(least, most)(request.args.get(key) or str(default))
    except Expected as expected:
        raise Refused("bad_query", f"{key} must be {expected}.") from None


def _thumb_url(run_id: str, place: int, shown: Container[str]) -> str | None:
    """None: the photo has no small picture."""
    has_one = f"{PHOTO_PICTURE}{place}" in shown
    return url_for("photos.photo_thumb", run_id=run_id, place=place) if has_one else None


def _photo(row: PhotoRow) -> dict[str, Any]:
    return {
        "index": row.index,
        "name": row.name,
        "label": row.label,
        "class": row.class_name,
        "reference": row.reference and _answer(row.reference, ("backend_name", "label", "score", "correct")),
        "answers": [_answer(answer, PhotoAnswer._fields) for answer in row.answers],
        "flips": row.flips,
    }


def _answer(answer: PhotoAnswer, keys: tuple[str, ...]) -> dict[str, Any]:
    values = {key: getattr(answer, key) for key in keys}
    rounded = {"score": 4, "fall_points": 2}
    return {
        key: round(value, rounded[key]) if key in rounded and value is not None else value
        for key, value in values.items()
    }


def _share(part: int, total: int) -> dict[str, Any] | None:
    """With its interval; None of nothing."""
    found = share(part, total)
    return asdict(found) if found else None


def _class(row: ClassRow) -> dict[str, Any]:
    return {
        "class": row.class_name,
        "photos": row.photos,
        "flipped": row.flipped,
        "flipped_share": _share(row.flipped, row.photos),
        "cells": [asdict(cell) for cell in row.cells],
    }
