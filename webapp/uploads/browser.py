"""Variants made in a browser, as they come with a run, and what the page says of them.

file      the original; may be missing where the plan says "browser"
variants  JSON list, one object for each part `variant`, in their order; its keys are RULES
variant   the bytes of one variant, as often as `variants` is long
browser   JSON object, optional: {"name": "Chromium 150", "clock_resolution_us": 100, "original":
          {"name": "cat.jpg", "size_bytes": 3000000, "width_px": 4000, "height_px": 3000}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, cast

from flask import Request
from werkzeug.datastructures import FileStorage

from experiment.errors import PlanRefused, VariantsRefused
from experiment.images.browser import (
    BROWSER_FORMATS,
    MAX_PIXELS_FACTOR,
    Described,
    check_against_plan,
    check_header,
)
from experiment.images.header import Limits
from experiment.measure.plan import MAX_VARIANTS
from experiment.records import Plan
from experiment.refusals import plain_name
from webapp.browser_limits import upload_limit
from webapp.runs.live_run import OPENING
from webapp.runs.manager import Photo
from webapp.store.spool import path_of
from webapp.uploads.browser_fields import BROWSER_RULES, HOW, NEEDED, ORIGINAL_RULES, RULES, checked, json_of
from webapp.uploads.photo_set import PhotoUpload

__all__ = ["FIELDS", "BrowserUpload", "browser_upload", "check_place", "has_variants", "upload_limit"]

FIELDS: Final = frozenset({"variants", "variant", "browser"})


@dataclass(frozen=True, slots=True)
class BrowserUpload:
    """A photo, perhaps, and the variants that a browser made of it."""

    name: str
    photo: Photo | None  # None: it stayed in the browser
    described: tuple[Described, ...]
    files: tuple[Path, ...]  # as many
    facts: Mapping[str, Any]  # about the browser
    original: Mapping[str, Any] | None  # what the page says of a photo that stayed there
    true_label: str | None
    follows: None = None
    opening: str = OPENING

    @property
    def plan_defaults(self) -> dict[str, Any]:
        """Who sends variants has resized in the browser."""
        return {"resize_in": "browser"}

    @property
    def stream(self) -> IO[bytes]:
        """The photo's bytes, then those of each variant."""
        photo = [self.photo.stream] if self.photo else []
        return cast(IO[bytes], Chained(chain(photo, (path.open("rb") for path in self.files))))

    @property
    def job(self) -> dict[str, Any]:
        """What the timing process is told."""
        browser = {
            "variants": [asdict(variant) for variant in self.described],
            "facts": dict(self.facts),
            "original": self.original,
        }
        size_bytes = self.photo.size_bytes if self.photo else 0
        return {
            "name": self.name,
            "true_label": self.true_label,
            "size_bytes": size_bytes,
            "browser": browser,
        }

    def discard(self) -> None:
        """The files go with the request."""


class Chained:
    """Several streams, read one after the other; each is closed at its end, before the next is opened."""

    def __init__(self, streams: Iterator[IO[bytes]]):
        self._streams = streams
        self._stream = next(streams, None)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end of the last stream."""
        while self._stream is not None:
            if data := self._stream.read(size):
                return data
            self._stream.close()
            self._stream = next(self._streams, None)
        return b""


def has_variants(request: Request) -> bool:
    """Whether any part of the request says that a browser made variants."""
    return any(field in request.files or field in request.form for field in FIELDS)


def check_place(upload: Photo | PhotoUpload | BrowserUpload, plan: Plan) -> None:
    """Raises PlanRefused or VariantsRefused where what came is not what the plan speaks of."""
    if isinstance(upload, BrowserUpload):
        if plan.resize_in == "server":
            raise PlanRefused(
                ['resize_in is "server", but variants made in a browser were sent. Leave out one of the two.']
            )
        check_against_plan(upload.described, plan, has_original=upload.photo is not None)
    elif plan.resize_in != "server" and isinstance(upload, PhotoUpload):
        raise PlanRefused(
            [f'resize_in is "{plan.resize_in}", but a set of photos is resized on the server only.']
        )
    elif plan.resize_in != "server":
        raise PlanRefused([f'resize_in is "{plan.resize_in}", but no variants were sent. {HOW}'])


def browser_upload(
    request: Request, photo: Photo | None, true_label: str | None, limits: Limits
) -> BrowserUpload:
    """What the request holds, its parts' headers looked at, none of them decoded.

    Raises VariantsRefused with every problem at once.
    """
    parts = request.files.getlist("variant")
    rows = json_of(
        request.form.get("variants", ""), "variants", list, "a list, one object for each part `variant`"
    )
    if len(rows) != len(parts):
        raise VariantsRefused(
            [f"`variants` describes {len(rows)}, but {len(parts)} parts `variant` were sent. {HOW}"]
        )
    if not 1 <= len(rows) <= MAX_VARIANTS:
        raise VariantsRefused([f"{len(rows)} variants were sent; send 1 to {MAX_VARIANTS}. {HOW}"])
    described = _described(rows, parts)
    _check_headers(described, parts, limits)
    facts, original = _browser(request.form.get("browser", "").strip() or "{}")
    name = photo.name if photo else plain_name((original or {}).pop("name", "") or "photo")
    return BrowserUpload(name, photo, described, tuple(map(path_of, parts)), facts, original, true_label)


def _described(rows: Sequence[Any], parts: Sequence[FileStorage]) -> tuple[Described, ...]:
    problems: list[str] = []
    found = []
    for number, (row, part) in enumerate(zip(rows, parts, strict=True)):
        values = {"quality": None, **checked(row, RULES, f"variants[{number}]", NEEDED, problems)}
        if not problems:
            found.append(Described(**values, size_bytes=path_of(part).stat().st_size))
            problems += _quality_problems(found[-1], number)
    if problems:
        raise VariantsRefused(problems)
    return tuple(found)


def _quality_problems(variant: Described, number: int) -> Iterator[str]:
    if (variant.quality is None) != (BROWSER_FORMATS[variant.format] is None):
        needs = "has no quality" if variant.format == "png" else "needs a quality from 1 to 100"
        yield f"variants[{number}]: {variant.format} {needs}."


def _check_headers(described: Sequence[Described], parts: Sequence[FileStorage], limits: Limits) -> None:
    problems: list[str] = []
    pixels = 0
    for number, (variant, part) in enumerate(zip(described, parts, strict=True)):
        problems += check_header(variant, path_of(part).read_bytes(), number, limits)
        pixels += variant.size_px**2
    if pixels > MAX_PIXELS_FACTOR * limits.max_pixels and not problems:
        problems.append(
            f"The variants may have up to {pixels / 1e6:,.0f} MP together; the limit is "
            f"{MAX_PIXELS_FACTOR * limits.max_pixels / 1e6:,.0f} MP. Use fewer or smaller sizes."
        )
    if problems:
        raise VariantsRefused(problems)


def _browser(text: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Facts for the environment, and what is said of the original."""
    problems: list[str] = []
    told = json_of(text, "browser", dict, "an object")
    original = told.pop("original", None)
    facts = checked(told, BROWSER_RULES, "browser", (), problems)
    if original is not None:
        original = checked(original, ORIGINAL_RULES, "browser.original", tuple(ORIGINAL_RULES), problems)
    if problems:
        raise VariantsRefused(problems)
    return {f"browser_{key}" if key != "name" else "browser": value for key, value in facts.items()}, original
