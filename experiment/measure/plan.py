"""parse_plan(): a plan from JSON or options, checked as a whole; all problems are reported at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from common.checks import Expected, list_of, number, number_above, one_of, whole, yes_or_no
from common.json_values import quoted, strict_json
from experiment.axes import BROWSER_FORMATS, ENGINES
from experiment.copies import LEAST_MBIT_S, MOST_MBIT_S
from experiment.errors import PlanRefused
from experiment.images.formats import FORMATS, SUBSAMPLINGS
from experiment.images.resize import RESAMPLERS
from experiment.images.variants import most_variants
from experiment.records import (
    MAX_BACKENDS,
    MAX_VARIANTS,
    ONE_VALUE,
    SEED_LIMIT,
    Copies,
    Order,
    Plan,
    ResizeIn,
)

MAX_SIZES = 16
MAX_QUALITIES = 16
MAX_JSON_CHARS = 20_000
# Key of a plan -> the smallest and largest value, of every number in a list too. The page's fields use them.
RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "sizes_px": (16, 8192),
    "jpeg_qualities": (1, 100),
    "webp_qualities": (1, 100),
    "avif_qualities": (1, 100),
    "warmups": (0, 100),
    "repeats": (1, 1000),
    "timeout_s": (0, 600),  # above 0
    "max_p50_ms": (0, 10**6),  # above 0
    "max_size_bytes": (1, 10**9),
    "margin_points": (0, 100),
}


def parse_plan(wanted: Mapping[str, Any], **defaults: Any) -> Plan:
    """The plan that `wanted` describes with the keys of Plan, and lists for its tuples.

    A key that is missing or null has its default: that of `defaults`, else Plan's, and a random seed. If a
    list (`jpeg_qualities`, `resamplers`) and the older key for one value are both given, the list wins.
    Raises PlanRefused with all problems at once.

    >>> parse_plan({"sizes_px": [512, 256], "repeats": 64}).repeats
    64
    """
    problems = [f"The plan has no setting {quoted(key)}." for key in wanted if key not in RULES]
    values: dict[str, Any] = {"seed": secrets.randbelow(SEED_LIMIT), **defaults}
    for key, check in RULES.items():
        if wanted.get(key) is None:
            continue
        try:
            values[key] = check(wanted[key])
        except Expected as expected:
            problems.append(f"{key} must be {expected}, not {quoted(wanted[key])}.")
    if problems:
        raise PlanRefused(problems)
    for one, many in ONE_VALUE.items():
        if one in values:
            value = values.pop(one)
            values.setdefault(many, (value,))
    plan = Plan(**values)
    unwritten = [why_not for key in plan.formats if (why_not := FORMATS[key].why_not())]
    if unwritten:
        raise PlanRefused(unwritten)
    if plan.resize_in != "server" and not set(plan.formats) & set(BROWSER_FORMATS):
        raise PlanRefused([f"A browser can't encode these formats. It encodes {', '.join(BROWSER_FORMATS)}."])
    if most_variants(plan) > MAX_VARIANTS:
        raise PlanRefused(
            [
                f"The plan makes {most_variants(plan):,} variants of a large photo; the limit is "
                f"{MAX_VARIANTS}. Use fewer sizes, formats, qualities, subsamplings or filters."
            ]
        )
    return plan


def plan_from_json(text: str, **defaults: Any) -> Plan:
    """The plan in the text of a JSON object. Raises PlanRefused."""
    if len(text) > MAX_JSON_CHARS:
        raise PlanRefused([f"The plan is too long: {len(text)} characters; the limit is {MAX_JSON_CHARS}."])
    try:
        found = strict_json(text)
    except RecursionError:
        raise PlanRefused(["The plan is nested too deeply. It is one flat JSON object."]) from None
    except ValueError as error:
        raise PlanRefused([f"The plan is not valid JSON: {error}."]) from None
    if not isinstance(found, dict):
        raise PlanRefused(['The plan must be a JSON object, like {"sizes_px": [512, 256]}.'])
    return parse_plan(found, **defaults)


def check_request_count(planned: int, limit: int) -> None:
    """Raises PlanRefused if `planned` requests are more than `limit`."""
    if planned > limit:
        raise PlanRefused(
            [
                f"The plan needs {planned} requests; the limit is {limit}. "
                "Use fewer repeats, sizes, formats, qualities, filters or backends."
            ]
        )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Expected("a name")
    return value


def _number(check: Callable[[Any], float]) -> Callable[[Any], float]:
    """The check with a float as its result, so that 60 and 60.0 are the same plan."""
    return lambda value: float(check(value))


RULES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sizes_px": list_of(whole(*RANGES["sizes_px"]), "sizes in pixels", MAX_SIZES),
    "formats": list_of(one_of(FORMATS), "formats", len(FORMATS)),
    "jpeg_quality": whole(*RANGES["jpeg_qualities"]),
    "resampler": one_of(RESAMPLERS),
    "warmups": whole(*RANGES["warmups"]),
    "repeats": whole(*RANGES["repeats"]),
    "order": one_of(get_args(Order)),
    "seed": whole(0, SEED_LIMIT - 1),
    "timeout_s": _number(number_above(*RANGES["timeout_s"])),
    "backend_names": list_of(_name, "names of backends", MAX_BACKENDS),
    "max_p50_ms": _number(number_above(*RANGES["max_p50_ms"])),
    "max_size_bytes": whole(*RANGES["max_size_bytes"]),
    "keep_top1": yes_or_no,
    "margin_points": _number(number(*RANGES["margin_points"])),
    "jpeg_qualities": list_of(whole(*RANGES["jpeg_qualities"]), "JPEG qualities", MAX_QUALITIES),
    "webp_qualities": list_of(whole(*RANGES["webp_qualities"]), "WebP qualities", MAX_QUALITIES),
    "avif_qualities": list_of(whole(*RANGES["avif_qualities"]), "AVIF qualities", MAX_QUALITIES),
    "subsamplings": list_of(one_of(SUBSAMPLINGS), "chroma subsamplings", len(SUBSAMPLINGS)),
    "resamplers": list_of(one_of(RESAMPLERS), "filters", len(RESAMPLERS)),
    "resize_in": one_of(get_args(ResizeIn)),
    "browser_engines": list_of(one_of(ENGINES), "browser engines", len(ENGINES)),
    "split_decode": yes_or_no,
    "copies": one_of(get_args(Copies)),
    "uplink_mbit_s": _number(number(LEAST_MBIT_S, MOST_MBIT_S)),
}
