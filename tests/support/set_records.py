"""Photo sets whose answers are made up and counted by hand, for any test that needs one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from experiment.labels import Vocabulary
from experiment.photo_sets.counts import SetCounts
from experiment.photo_sets.journal import SetHeader
from experiment.photo_sets.photo_result import Beats, PhotoResult
from experiment.photo_sets.summarise import summarise_set
from experiment.records import Label, Plan, Report
from tests.support.records import answer, answered, backend, environment, original, sha256, variant

LARGE, SMALL, TINY = variant(512), variant(256), variant(64)
MADE = {"original": original(), "large": LARGE, "small": SMALL, "tiny": TINY}
PLAN = Plan(sizes_px=(256, 64), formats=("jpeg",), repeats=1, seed=1)
VOCABULARY = Vocabulary(["tabby", "lynx", "dog"])

RIGHT, WRONG = "tabby", "lynx"


def result(
    index: int, label: str | None = "tabby", on: Sequence[str] = ("8 CPU",), **told: str
) -> PhotoResult:
    """One photo; `told` by short name of the variant: what the backends called it."""
    measurements = [
        each
        for name, said in told.items()
        for place, backend_name in enumerate(on)
        for each in answered(
            [20.0 * (place + 1) + index % 7], MADE[name].id, backend_name, answer((Label(said, 0.5),))
        )
    ]
    return PhotoResult(
        index,
        f"{index}.jpg",
        label,
        sha256=sha256(str(index)),
        media_type="image/jpeg",
        size_bytes=3_000_000,
        width_px=4000,
        height_px=3000,
        decode_ms=48.7,
        variants=tuple(MADE[name] for name in told),
        measurements=tuple(measurements),
        beats=Beats(10, 0, 1.0),
    )


def photos(both: int = 0, gained: int = 0, lost: int = 0, neither: int = 0, **more: Any) -> list[PhotoResult]:
    """Photos of which the small variant gets `gained` right that the original does not, and so on."""
    pairs = [(RIGHT, RIGHT)] * both + [(WRONG, RIGHT)] * gained + [(RIGHT, WRONG)] * lost
    pairs += [(WRONG, WRONG)] * neither
    return [result(at, original=before, small=now, **more) for at, (before, now) in enumerate(pairs)]


def summary(
    results: Iterable[PhotoResult],
    plan: Plan = PLAN,
    state: str = "done",
    backend_names: Sequence[str] = ("8 CPU",),
    vocabulary: Vocabulary = VOCABULARY,
    count: int | None = None,
    **header_too: Any,
) -> Report:
    """The report of these photos; `count` is how many were listed."""
    counts = SetCounts(dict.fromkeys(backend_names, vocabulary))
    results = list(results)
    for each in results:
        counts.add(each)
    infos = tuple(backend(name) for name in backend_names)
    listed = len(results) if count is None else count
    facts = {key: value for key, value in environment().items() if not key.startswith("heartbeat")}
    header = SetHeader("run1", 1_777_890_030.0, "pets.zip", listed, sha256("pets"), plan, infos, facts)
    header = replace(header, **header_too)
    return summarise_set(header, counts, state)  # type: ignore[arg-type]
