"""One answer to one picture, without a measurement: prepare it as asked for, send it once.

So a run's recommendation can be used: resize, encode and send a photo as it says (a transcoding pipeline).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from common.checks import Expected, one_of, whole
from common.json_values import quoted
from experiment.axes import AXES
from experiment.backends.base import CONNECT_S, Backend, RequestFailed, reading_answers_of
from experiment.codec import to_dict
from experiment.errors import PixelcostError
from experiment.images.formats import FORMATS, SUBSAMPLINGS
from experiment.images.reference import make_reference
from experiment.images.resize import RESAMPLERS
from experiment.images.variants import make_copy
from experiment.measure.lane import plausible_ms
from experiment.measure.plan import RANGES
from experiment.records import BackendInfo, SourceImage, Variant
from experiment.wording import capitalised, sized_name

DEFAULT_FORMAT: Final = "jpeg"  # of a size without a format
NO_ANSWER, NO_RECOMMENDATION = "no_answer", "no_recommendation"  # codes of a PixelcostError
SCORE_DIGITS: Final = 6  # as in a report, so that both show the same number
# What can be chosen, by its name in a request; a report has the same names, but "size_px".
CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "size": whole(*RANGES["sizes_px"]),
    "format": one_of(FORMATS),
    "quality": whole(*RANGES["jpeg_qualities"]),
    "subsampling": one_of(SUBSAMPLINGS),
    "resampler": one_of(RESAMPLERS),
}
# Code of a failed request -> HTTP status of the refusal; 502 for all others.
STATUSES: Final = {"deadline": 504, "overloaded": 503, "bad_request": 422, "too_large": 422}


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a photo is to be sent. Without format: as uploaded, or as PNG of the same pixels (reference.py)."""

    size_px: int | None = None  # longest side; None: the photo's own
    format: str | None = None  # a key of FORMATS
    quality: int | None = None  # None: lossless, or as uploaded
    subsampling: str | None = None  # JPEG's
    resampler: str | None = None  # a key of RESAMPLERS; None only without a format
    # A smaller photo keeps its size instead of being refused, as it may if the size is that of a run.
    at_most: bool = False


def preparation(size: Any = None, format: Any = None, quality: Any = None) -> Preparation:
    """What was asked for, each a value or None. A size or quality without a format means JPEG.

    Raises PixelcostError, 422, with all problems at once.
    """
    if size is None and format is None and quality is None:
        return Preparation()
    return _checked({"size": size, "format": format or DEFAULT_FORMAT, "quality": quality})


def recommended(report: Mapping[str, Any]) -> tuple[Preparation, str]:
    """What a report recommends, and the name of its backend. Raises PixelcostError, 422, if it does not.

    The copy is made from the photo directly. A run of several sizes may have made its smaller copies from
    larger ones (resize.py), so single pixels can differ by a level or two.
    """
    chosen, run_id = report["recommendation"], report["run_id"]
    found = next((row for row in report["variants"] if row["id"] == chosen["variant_id"]), None)
    if found is None or chosen["backend_name"] is None:
        raise _refused(f"Run {run_id} recommends nothing. {chosen['sentence']}", NO_RECOMMENDATION)
    if found["is_reference"]:
        return Preparation(), chosen["backend_name"]
    if found["made_in"] == "browser":
        why = f"Run {run_id} recommends a copy that a browser made, which this server can't make the same."
        raise _refused(f"{why} Name size, format and quality instead.", NO_RECOMMENDATION)
    asked = {"size": found["size_px"], **{key: found.get(key) for key in CHECKS if key != "size"}}
    return replace(_checked(asked), at_most=True), chosen["backend_name"]


def _checked(asked: Mapping[str, Any]) -> Preparation:
    """Values by the keys of CHECKS; None: the usual one. A report that was imported may hold any value."""
    problems: list[str] = []
    found: dict[str, Any] = {}
    for name, value in asked.items():
        try:
            found[name] = None if value is None else CHECKS[name](value)
        except Expected as expected:
            problems.append(f"{name} must be {expected}, not {quoted(value)}.")
    kind = FORMATS.get(str(asked["format"]))
    if kind and (why_not := kind.why_not()):
        problems.append(why_not)
    if kind and kind.lossless and asked.get("quality") is not None:
        problems.append(f"{kind.name} is lossless: leave quality out.")
    if problems:
        raise _refused(" ".join(problems))
    size_px, key = found.pop("size"), found.pop("format")
    chosen = {axis: found.get(axis) or AXES[axis].usual(key) for axis in ("resampler", *FORMATS[key].axes)}
    return Preparation(size_px, key, **chosen)


def prepare(source: SourceImage, wanted: Preparation) -> Variant:
    """The picture to send. Raises PixelcostError, 422, for a size above the photo's own."""
    if wanted.format is None:
        return make_reference(source)
    longest_px = max(source.width_px, source.height_px)
    size_px = wanted.size_px or longest_px
    if size_px > longest_px and not wanted.at_most:
        is_askable = longest_px >= RANGES["sizes_px"][0]
        instead = f"ask for at most {longest_px}" if is_askable else "leave size out"
        raise _refused(
            f"size is {size_px} px, but this photo is {source.width_px} x {source.height_px} px. "
            f"Nothing is enlarged: {instead}."
        )
    settings = {axis: getattr(wanted, axis) for axis in FORMATS[wanted.format].axes}
    resampler = str(wanted.resampler)
    return make_copy(source, min(size_px, longest_px), resampler, wanted.format, settings)


def usual_backend(infos: Sequence[BackendInfo]) -> BackendInfo:
    """Of at least one: the one to ask if none is named, the first that is ready, or else may be."""
    return min(infos, key=lambda info: (info.state != "ready", not info.takes_photos))


def ask(
    source: SourceImage, sent: Variant, wanted: Preparation, backend: Backend, timeout_s: float
) -> dict[str, Any]:
    """Send the prepared picture once; what was answered and done, with units in the keys.

    Connecting may take CONNECT_S and counts as no stage; the answer may take `timeout_s`. Raises
    PixelcostError with the code "no_answer" if the request fails.
    """
    info = backend.info
    backend.open(min(CONNECT_S, timeout_s))
    started_s = time.perf_counter()
    try:
        with reading_answers_of(info):
            answer = backend.predict(sent, timeout_s)
    except RequestFailed as failed:
        status = STATUSES.get(failed.failure.code, 502)
        raise PixelcostError(failed.failure.message, NO_ANSWER, status) from None
    request_ms = (time.perf_counter() - started_s) * 1e3
    facts, server_ms = to_dict(sent), plausible_ms(answer.server_ms, request_ms)
    stages_ms = {"decode": sent.decode_ms, "resize": sent.resize_ms, "encode": sent.encode_ms}
    stages_ms["request"] = request_ms
    return {
        "top": [{"label": label.label, "score": round(label.score, SCORE_DIGITS)} for label in answer.top],
        "backend": info.name,
        "model": info.model,
        # Over REST a server does not say which version answered: then the one seen last.
        "model_version": answer.model_version or info.version,
        "sent": {key: facts[key] for key in _SENT} | {"request_bytes": answer.request_bytes},
        "photo": {key: getattr(source, key) for key in _PHOTO} | {"notes": list(source.notes)},
        "stages_ms": {stage: _rounded(time_ms) for stage, time_ms in stages_ms.items()},
        "server_ms": {stage: _rounded(time_ms) for stage, time_ms in server_ms.items()},
        "done": _done(sent, wanted, info),
    }


_SENT: Final = (
    *("size_bytes", "width_px", "height_px", "format", "quality", "subsampling", "resampler"),
    *("encoder", "sha256"),
)
_PHOTO: Final = ("name", "media_type", "size_bytes", "width_px", "height_px")


def _done(sent: Variant, wanted: Preparation, info: BackendInfo) -> str:
    how = ""
    if sent.is_reference:
        how = f", {sent.encoder},"
    elif sent.resampler:
        how = f", resized with {AXES['resampler'].words(sent.resampler)},"
    name = sized_name(replace(sent, resampler=None))
    kept = f" The photo is smaller than {wanted.size_px} px." if (wanted.size_px or 0) > sent.size_px else ""
    return f"{capitalised(name)}{how} was sent to {info.name} once.{kept}"


def _rounded(time_ms: float | None) -> float | None:
    return None if time_ms is None else round(time_ms, 3)


def _refused(message: str, code: str = "bad_query") -> PixelcostError:
    return PixelcostError(message, code, 422)
