"""Thousands of simulated pairs of runs: how often each way to compare raises a false alarm, and finds what is
planted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.check.runs import BASE_MS, Noise, Sizes, labelled_run, latencies_ms, timed_run
from bench.check.tally import SLOWER, tally
from experiment.check.budget import budget_of
from experiment.check.cells import CheckedRun
from experiment.check.findings import ALARM_SHARE, FOUND_SHARE
from experiment.check.judge import judge
from experiment.check.tails import z_of

LOST_SHARE = 0.01  # planted: one point of accuracy
DIFFERING_SHARE = 0.02  # photos that only one of two variants gets right
VARIANTS_OF_A_SET = 4
RIGHT_SHARE = 0.8

Try = Callable[[np.random.Generator], bool]  # whether a goal failed


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table."""

    name: str
    attempt: Try
    is_planted: bool

    def line(self, tries: int, seed: int) -> str:
        """A tally of so many tries."""
        at_random = np.random.default_rng(seed)
        return tally(self.name, [self.attempt(at_random) for _ in range(tries)], self.is_planted)


def bench(tries: int = 1000, seed: int = 1) -> Iterator[str]:
    """The lines to print."""
    scenarios = [*in_one_run(), *with_reports(), *of_a_limit(), *of_accuracy()]
    for place, scenario in enumerate(scenarios):
        yield scenario.line(tries, seed + place)


def in_one_run() -> Iterator[Scenario]:
    """Two backends of one run, measured in turns."""
    noisy = Noise(drift=0.10, sample=0.12, outliers=0.10)
    count = Sizes().variants
    for words, noise, repeats, planted in (
        ("quiet", Noise(), 20, {"all": count, "one": 1}),
        ("quiet", Noise(), 64, {"all": count, "one": 1}),
        ("quiet", Noise(), 200, {"all": count, "one": 1}),
        ("noisy", noisy, 64, {"all": count}),
        ("noisy", noisy, 1000, {"all": count}),
    ):
        sizes = Sizes(repeats=repeats)
        name = f"{words}, {count} variants, {repeats} repeats, limit 2 %"
        yield Scenario(f"{name}: A/A", _two_backends(noise, sizes, 0), is_planted=False)
        for which, slower in planted.items():
            yield Scenario(
                f"{name}: {which} 5 % slower", _two_backends(noise, sizes, slower), is_planted=True
            )


def _two_backends(noise: Noise, sizes: Sizes, planted: int) -> Try:
    budget = budget_of('[baseline]\nbackend = "old"\nmax_slower_percent = 2')
    factors = [SLOWER if place < planted else 1.0 for place in range(sizes.variants)]
    slower = {"old": [1.0] * sizes.variants, "new": factors}

    def attempt(at_random: np.random.Generator) -> bool:
        times_ms = latencies_ms(noise, sizes, slower, at_random)
        return bool(judge(timed_run("this run", times_ms), budget).of("fail"))

    return attempt


def with_reports() -> Iterator[Scenario]:
    """A run against reports of earlier ones; the last share planted is the one that is found."""
    for count, drift_percent, planted in (
        (1, 5, (5, 50)),
        (5, 1, (5, 25)),
        (10, 1, (5, 14)),
        (20, 1, (5, 11)),
        (10, 5, (5, 50)),
    ):
        name = f"{count} {'report' if count == 1 else 'reports'}, runs differ by {drift_percent} %, limit 2 %"
        noise = Noise(run=drift_percent / 100)
        yield Scenario(f"{name}: A/A", _earlier(count, noise, 1.0), is_planted=False)
        for percent in planted:
            attempt = _earlier(count, noise, 1 + percent / 100)
            yield Scenario(f"{name}: all {percent} % slower", attempt, is_planted=True)


def _earlier(count: int, noise: Noise, factor: float) -> Try:
    budget, sizes = budget_of("[baseline]\nmax_slower_percent = 2"), Sizes()

    def attempt(at_random: np.random.Generator) -> bool:
        def run(name: str, times: float) -> CheckedRun:
            slower = {"8 CPU": [times] * sizes.variants}
            return timed_run(name, latencies_ms(noise, sizes, slower, at_random))

        earlier = [run(f"{place}.json", 1.0) for place in range(count)]
        return bool(judge(run("this run", factor), budget, earlier).of("fail"))

    return attempt


def of_a_limit() -> Iterator[Scenario]:
    """A run against a limit in milliseconds."""
    for above_percent in (10, 20):
        name = f"p50 limit {above_percent} % above, runs differ by 5 %, 64 repeats"
        yield Scenario(f"{name}: A/A", _limited(above_percent), is_planted=False)


def _limited(above_percent: float) -> Try:
    limit_ms = BASE_MS * (1 + above_percent / 100)
    budget = budget_of(f'[[goals]]\nvariants = ["v0"]\nmax_p50_ms = {limit_ms}')
    sizes, noise = Sizes(variants=1), Noise(run=0.05)

    def attempt(at_random: np.random.Generator) -> bool:
        run = timed_run("this run", latencies_ms(noise, sizes, {"8 CPU": [1.0]}, at_random))
        return bool(judge(run, budget).of("fail"))

    return attempt


def photos_to_find(lost_share: float, differing_share: float, comparisons: int) -> int:
    """Photos with which a loss beyond the limit is found in 95 of 100 checks. Connor 1987."""
    alarm = z_of(ALARM_SHARE / comparisons) * math.sqrt(differing_share)
    found = z_of(1 - FOUND_SHARE) * math.sqrt(differing_share - lost_share**2)
    return math.ceil(((alarm + found) / lost_share) ** 2)


def of_accuracy() -> Iterator[Scenario]:
    """Variants of a labelled set against the original."""
    needed = photos_to_find(LOST_SHARE, DIFFERING_SHARE, VARIANTS_OF_A_SET)
    photos = 100 * math.ceil(needed / 100)
    for count in (1000, photos):
        name = f"{count:,} photos, {VARIANTS_OF_A_SET} variants, limit 0 points, 2 % of answers differ"
        yield Scenario(f"{name}: none lost", _labelled(count, 0.0), is_planted=False)
        yield Scenario(f"{name}: one loses 1 point", _labelled(count, LOST_SHARE), is_planted=True)


def _labelled(photos: int, lost_share: float) -> Try:
    budget = budget_of("[[goals]]\nmax_accuracy_lost_points = 0")

    def attempt(at_random: np.random.Generator) -> bool:
        rows = [
            _answers(photos, lost_share if place == 0 else 0.0, at_random)
            for place in range(VARIANTS_OF_A_SET)
        ]
        return bool(judge(labelled_run("this run", rows), budget).of("fail"))

    return attempt


def _answers(photos: int, lost_share: float, at_random: np.random.Generator) -> tuple[int, int, int, int]:
    gained, lost = (DIFFERING_SHARE - lost_share) / 2, (DIFFERING_SHARE + lost_share) / 2
    both = RIGHT_SHARE - lost
    drawn = at_random.multinomial(photos, [both, gained, lost, 1 - both - gained - lost])
    return tuple(int(number) for number in drawn)  # type: ignore[return-value]
