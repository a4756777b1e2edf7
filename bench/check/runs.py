"""Runs whose latencies and answers are drawn at random, as real servers and real drift would give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiment.check.cells import CheckedRun
from experiment.figures.view import View
from experiment.photo_sets.shares import difference, share
from experiment.records import BackendInfo, Cell, OverPhotos, PhotoSetFacts, Plan, Recommendation, Variant

FACTS: Mapping[str, Any] = {
    "state": "done",
    "created_at": "2026-05-04T10:20:30Z",
    "source": {"name": "simulated", "sha256": "0", "true_label": None},
    "environment": {},
    "backends": [],
    "variants": [],
    "plan": {},
    "photo_set": None,
    "warnings": [],
}
BASE_MS = 8.0  # of the quickest variant
NOTHING = Recommendation(None, None, "", "", (), "VALID")


@dataclass(frozen=True, slots=True)
class Noise:
    """Where latencies come from. All are shares of the latency; see docs/ci.md for what they stand for."""

    run: float = 0.0  # standard deviation from run to run, of all cells alike
    drift: float = 0.02  # within a run, slowly, of all cells alike
    server: float = 0.005  # of one server against another one of the same kind
    sample: float = 0.04  # from request to request
    outliers: float = 0.03  # share of requests that take 1.3 to 4 times as long


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a run measures."""

    variants: int = 10
    repeats: int = 64


def latencies_ms(
    noise: Noise, sizes: Sizes, slower: Mapping[str, Sequence[float]], at_random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Of each backend in `slower`, whose variants take so many times as long: variants x repeats."""
    base = BASE_MS * np.exp(at_random.normal(0, noise.run)) * np.geomspace(1, 5, sizes.variants)[:, None]
    drift = np.exp(_slow(noise.drift, sizes.repeats, at_random))[None, :]
    return {
        name: base * drift * np.asarray(factors)[:, None] * _scatter(noise, sizes, at_random)
        for name, factors in slower.items()
    }


def _slow(size: float, count: int, at_random: np.random.Generator) -> np.ndarray:
    """A first-order autoregression: each value keeps nine tenths of the one before."""
    steps = at_random.normal(0, size * np.sqrt(1 - 0.9**2), count)
    steps[0] = at_random.normal(0, size)
    for place in range(1, count):
        steps[place] += 0.9 * steps[place - 1]
    return steps


def _scatter(noise: Noise, sizes: Sizes, at_random: np.random.Generator) -> np.ndarray:
    shape = (sizes.variants, sizes.repeats)
    scatter = np.exp(at_random.normal(0, noise.sample, shape) + at_random.normal(0, noise.server))
    late = at_random.random(shape) < noise.outliers
    return np.asarray(np.where(late, scatter * at_random.uniform(1.3, 4, shape), scatter))


def timed_run(name: str, times_ms: Mapping[str, np.ndarray]) -> CheckedRun:
    """A finished run of one photo with these latencies."""
    variants = [_variant(place) for place in range(len(next(iter(times_ms.values()))))]
    cells = [
        _cell(variant, backend, samples.tolist())
        for backend, rows in times_ms.items()
        for variant, samples in zip(variants, rows, strict=True)
    ]
    return _run(name, variants, list(times_ms), cells)


def labelled_run(name: str, answers: Sequence[tuple[int, int, int, int]]) -> CheckedRun:
    """A finished run of a photo set; for each variant: photos that both, only it, only the original and
    neither has right."""
    photos = sum(answers[0])
    variants = [_variant(place) for place in range(len(answers))]
    cells = []
    for variant, (both, gained, lost, neither) in zip(variants, answers, strict=True):
        found = difference(both, gained, lost, neither)
        over = OverPhotos(share(both + gained, photos), None, None, found)
        cells.append(_cell(variant, "8 CPU", [10.0], over))
    facts = PhotoSetFacts("simulated", photos, photos, photos, "0", 1.0, len(answers), (), (), ())
    return _run(name, variants, ["8 CPU"], cells, facts)


def _run(
    name: str,
    variants: Sequence[Variant],
    backend_names: Sequence[str],
    cells: Sequence[Cell],
    photo_set: PhotoSetFacts | None = None,
) -> CheckedRun:
    backends = tuple(BackendInfo(each, state="ready") for each in backend_names)
    view = View(
        plan=Plan(),
        state="done",
        variants=tuple(variants),
        backends=backends,
        cells=tuple(cells),
        points=(),
        recommendation=NOTHING,
        photo_set=photo_set,
    )
    return CheckedRun(name, FACTS, view)


def _variant(place: int) -> Variant:
    id_, sha256 = f"v{place}", "0"
    return Variant(id_, 1, 1, 1, "jpeg", 85, "simulated", 1, sha256, None, None, None)


def _cell(variant: Variant, backend: str, samples: Sequence[float], over: OverPhotos | None = None) -> Cell:
    return Cell(
        variant_id=variant.id,
        backend_name=backend,
        count=len(samples),
        samples_ms=tuple(samples),
        server_ms={},
        validity="VALID",
        reasons=(),
        over_photos=over,
    )
