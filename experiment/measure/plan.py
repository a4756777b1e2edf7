"""parse_plan(): what a person asks for, checked as a whole, with every problem named at once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from experiment.axes import SINGLE
from experiment.errors import PlanRefused
from experiment.images.browser import BROWSER_FORMATS, ENGINES
from experiment.images.formats import SUBSAMPLINGS
from experiment.images.variants import FORMATS, RESAMPLERS, most_variants
from experiment.records import Order, Plan, ResizeIn

MAX_SIZES = 16
MAX_QUALITIES = 16
MAX_VARIANTS = 500  # all are held in memory while a run goes on
MAX_BACKENDS = 64
SEED_LIMIT = 2**53  # the largest whole number that JSON carries to a browser unharmed
MAX_JSON_CHARS = 20_000
# Key of a plan -> the least and the most of its number, or of each in its list; also of the page's fields.
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
    "margin_points": (0, 100),  # of a probability or of a share: 0 is none, 100 all of it
}


class _Bad(ValueError):
    """A value that can't be used; the text says what it should be."""


def parse_plan(wanted: Mapping[str, Any], **defaults: Any) -> Plan:
    """The plan that `wanted` describes: keys of Plan, lists for tuples.

    A key that is left out or null has its default: that of `defaults`, else Plan's own,
    and a random one for the seed. A list (`jpeg_qualities`, `resamplers`) outranks the
    older key for one value, which then holds the first of the list, so that both agree.
    Raises PlanRefused with every problem at once.
    """
    problems = [f"The plan has no setting {_quoted(key)}." for key in wanted if key not in RULES]
    values: dict[str, Any] = {"seed": secrets.randbelow(SEED_LIMIT), **defaults}
    for key, check in RULES.items():
        if wanted.get(key) is None:
            continue
        try:
            values[key] = check(wanted[key])
        except _Bad as expected:
            problems.append(f"{key} must be {expected}, not {_quoted(wanted[key])}.")
    if problems:
        raise PlanRefused(problems)
    plan = _agreeing(Plan(**values), given=values)
    unwritten = [why_not for key in plan.formats if (why_not := FORMATS[key].why_not())]
    if unwritten:
        raise PlanRefused(unwritten)
    if plan.resize_in != "server" and not set(plan.formats) & set(BROWSER_FORMATS):
        raise PlanRefused([f"A browser makes none of these formats. It makes {', '.join(BROWSER_FORMATS)}."])
    if most_variants(plan) > MAX_VARIANTS:
        raise PlanRefused(
            [
                f"The plan makes {most_variants(plan):,} variants of a large photo; the limit is "
                f"{MAX_VARIANTS}. Use fewer sizes, formats, qualities, subsamplings or filters."
            ]
        )
    return plan


def _agreeing(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """Each list and the older key for one value say the same."""
    changes: dict[str, Any] = {}
    for single, many in SINGLE.items():
        if given.get(many) is not None:
            changes[single] = given[many][0]
        else:
            changes[many] = (getattr(plan, single),)
    return replace(plan, **changes)


def plan_from_json(text: str, **defaults: Any) -> Plan:
    """The plan in a JSON object; raises PlanRefused for anything else."""
    return parse_plan(_object_in(text), **defaults)


def check_request_count(planned: int, limit: int) -> None:
    """Refuse a plan of more requests than `limit`."""
    if planned > limit:
        raise PlanRefused(
            [
                f"The plan needs {planned} requests; the limit is {limit}. "
                "Use fewer repeats, sizes, formats, qualities, filters or backends."
            ]
        )


def _object_in(text: str) -> dict[str, Any]:
    if len(text) > MAX_JSON_CHARS:
        raise PlanRefused([f"The plan is too long: {len(text)} characters; the limit is {MAX_JSON_CHARS}."])
    try:
        found = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except RecursionError:
        raise PlanRefused(["The plan is nested too deeply. It is one flat JSON object."]) from None
    except ValueError as error:
        raise PlanRefused([f"The plan is not valid JSON: {error}."]) from None
    if not isinstance(found, dict):
        raise PlanRefused(['The plan must be a JSON object, like {"sizes_px": [512, 256]}.'])
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {_quoted(key)} appears twice")
        found[key] = value
    return found


def _quoted(value: Any) -> str:
    """The value as a message shows it: short, whatever it is."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise _Bad(f"a whole number from {low} to {high}")
        return value

    return check


def _number(above: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not above < value <= high:  # false for NaN
            raise _Bad(f"a number above {above:g} and at most {high:g}")
        return float(value)

    return check


def _share(low: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # false for NaN
            raise _Bad(f"a number from {low:g} to {high:g}")
        return float(value)

    return check


def _one_of(choices: Iterable[str]) -> Callable[[Any], str]:
    known = tuple(choices)

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise _Bad("one of " + ", ".join(known))
        return value

    return check


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Bad("true or false")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Bad("a name")
    return value


def _list_of(check: Callable[[Any], Any], what: str, most: int) -> Callable[[Any], tuple[Any, ...]]:
    """A list of 1 to `most` entries, each checked; repeated entries count once."""

    def check_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
            raise _Bad(f"a list of 1 to {most} {what}")
        try:
            return tuple(dict.fromkeys(check(entry) for entry in value))
        except _Bad as expected:
            raise _Bad(f"a list of {what}, each {expected}") from None

    return check_all


RULES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sizes_px": _list_of(_whole(*RANGES["sizes_px"]), "sizes in pixels", MAX_SIZES),
    "formats": _list_of(_one_of(FORMATS), "formats", len(FORMATS)),
    "jpeg_quality": _whole(*RANGES["jpeg_qualities"]),
    "resampler": _one_of(RESAMPLERS),
    "warmups": _whole(*RANGES["warmups"]),
    "repeats": _whole(*RANGES["repeats"]),
    "order": _one_of(get_args(Order)),
    "seed": _whole(0, SEED_LIMIT - 1),
    "timeout_s": _number(*RANGES["timeout_s"]),
    "backend_names": _list_of(_name, "names of backends", MAX_BACKENDS),
    "max_p50_ms": _number(*RANGES["max_p50_ms"]),
    "max_size_bytes": _whole(*RANGES["max_size_bytes"]),
    "keep_top1": _yes_or_no,
    "margin_points": _share(*RANGES["margin_points"]),
    "jpeg_qualities": _list_of(_whole(*RANGES["jpeg_qualities"]), "JPEG qualities", MAX_QUALITIES),
    "webp_qualities": _list_of(_whole(*RANGES["webp_qualities"]), "WebP qualities", MAX_QUALITIES),
    "avif_qualities": _list_of(_whole(*RANGES["avif_qualities"]), "AVIF qualities", MAX_QUALITIES),
    "subsamplings": _list_of(_one_of(SUBSAMPLINGS), "chroma subsamplings", len(SUBSAMPLINGS)),
    "resamplers": _list_of(_one_of(RESAMPLERS), "filters", len(RESAMPLERS)),
    "resize_in": _one_of(get_args(ResizeIn)),
    "browser_engines": _list_of(_one_of(ENGINES), "browser engines", len(ENGINES)),
    "split_decode": _yes_or_no,
}
