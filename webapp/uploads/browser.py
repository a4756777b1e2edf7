"""Uploads of variants that a browser made:

file      the original; optional if the plan says "browser"
variants  JSON list, one object for each part `variant`, in their order; its keys are VARIANT_RULES
variant   the bytes of one variant, as often as `variants` is long
browser   JSON object, optional: {"name": "Chromium 150", "clock_resolution_us": 100, "original":
          {"name": "cat.jpg", "size_bytes": 3000000, "width_px": 4000, "height_px": 3000}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from flask import Request
from werkzeug.datastructures import FileStorage

from experiment.axes import BROWSER_FORMATS
from experiment.codec import from_dict
from experiment.errors import PlanRefused, VariantsRefused
from experiment.file_names import plain_name
from experiment.images.browser import MAX_PIXELS_FACTOR, DescribedVariant, check_against_plan, check_header
from experiment.images.header import Limits
from experiment.records import MAX_VARIANTS, NotUploaded, Plan
from webapp.runs.submission import Submission, pieces_of
from webapp.store.upload_folder import path_of
from webapp.uploads.browser_fields import (
    BROWSER_RULES,
    HOW,
    NEEDED,
    ORIGINAL_RULES,
    VARIANT_RULES,
    checked,
    json_of,
)
from webapp.worker.pipe import BrowserVariantsJob, Job

FIELDS: Final = frozenset({"variants", "variant", "browser"})


def has_variants(request: Request) -> bool:
    """Whether any part of the request says that a browser made variants."""
    return any(field in request.files or field in request.form for field in FIELDS)


def check_resized_as_planned(job: Job, plan: Plan) -> None:
    """Raises PlanRefused or VariantsRefused unless the upload fits the plan's `resize_in`."""
    if isinstance(job, BrowserVariantsJob):
        if plan.resize_in == "server":
            why = 'resize_in is "server", but variants made in a browser were sent. Leave out one of the two.'
            raise PlanRefused([why])
        check_against_plan(job.variants, plan, has_original=job.size_bytes > 0)
    elif plan.resize_in != "server":
        is_set = job.kind == "photo_set"
        why = "photo sets are resized on the server only." if is_set else f"no variants were sent. {HOW}"
        raise PlanRefused([f'resize_in is "{plan.resize_in}", but {why}'])


def browser_upload(
    request: Request, photo: Submission | None, true_label: str | None, limits: Limits
) -> Submission:
    """The variants in the request, and the photo, if it was sent. Only their headers are checked here.

    Raises VariantsRefused with all problems.
    """
    parts = request.files.getlist("variant")
    what = "a list with one object for each part `variant`"
    rows = json_of(request.form.get("variants", ""), "variants", list, what)
    if len(rows) != len(parts):
        why = f"`variants` describes {len(rows)}, but {len(parts)} parts `variant` were sent."
        raise VariantsRefused([f"{why} {HOW}"])
    if not 1 <= len(rows) <= MAX_VARIANTS:
        raise VariantsRefused([f"{len(rows)} variants were sent; send 1 to {MAX_VARIANTS}. {HOW}"])
    variants = _described(rows, parts)
    _check_headers(variants, parts, limits)
    facts, original = _browser(request.form.get("browser", "").strip() or "{}")
    job = BrowserVariantsJob(
        name=photo.job.name if photo else plain_name((original or {}).get("name") or "photo"),
        true_label=true_label,
        size_bytes=sum(photo.job.part_sizes_bytes) if photo else 0,
        variants=variants,
        facts=facts,
        original=from_dict(NotUploaded, original) if original else None,
    )
    return Submission(job, chain(photo.content if photo else (), _content(map(path_of, parts))))


def _content(files: Iterable[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            yield from pieces_of(file)


def _described(rows: Sequence[Any], parts: Sequence[FileStorage]) -> tuple[DescribedVariant, ...]:
    problems: list[str] = []
    found = []
    for number, (row, part) in enumerate(zip(rows, parts, strict=True)):
        values = {"quality": None, **checked(row, VARIANT_RULES, f"variants[{number}]", NEEDED, problems)}
        if not problems:
            found.append(DescribedVariant(**values, size_bytes=path_of(part).stat().st_size))
            if (found[-1].quality is None) != (BROWSER_FORMATS[found[-1].format] is None):
                needs = "has no quality" if found[-1].format == "png" else "needs a quality from 1 to 100"
                problems.append(f"variants[{number}]: {found[-1].format} {needs}.")
    if problems:
        raise VariantsRefused(problems)
    return tuple(found)


def _check_headers(
    variants: Sequence[DescribedVariant], parts: Sequence[FileStorage], limits: Limits
) -> None:
    problems: list[str] = []
    pixels = 0
    for number, (variant, part) in enumerate(zip(variants, parts, strict=True)):
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
    """Facts about the browser, for the run's environment, and what the page says about the original."""
    problems: list[str] = []
    browser = json_of(text, "browser", dict, "an object")
    original = browser.pop("original", None)
    facts = checked(browser, BROWSER_RULES, "browser", (), problems)
    if original is not None:
        original = checked(original, ORIGINAL_RULES, "browser.original", tuple(ORIGINAL_RULES), problems)
    if problems:
        raise VariantsRefused(problems)
    return {f"browser_{key}" if key != "name" else "browser": value for key, value in facts.items()}, original
