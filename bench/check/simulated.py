"""Thousands of simulated pairs of runs: how often each way to compare raises a false alarm, and finds what is
planted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench.check.runs import Noise, Sizes, labelled_run, latencies_ms, timed_run
from experiment.check.budget import Budget, budget_of
from experiment.check.findings import ALARM_SHARE, FOUND_SHARE
from experiment.check.judge import judge
from experiment.check.tails import z_of
from experiment.report.proportions import wilson

SLOWER = 1.05  # planted
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
        """ "name  3 of 1000 (0.1 to 0.9 %)"."""
        at_random = np.random.default_rng(seed)
        failed = sum(self.attempt(at_random) for _ in range(tries))
        low, high = wilson(failed, tries)
        words = "found" if self.is_planted else "false alarms"
        share = f"{100 * failed / tries:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        return f"{self.name:72} {failed:4d} of {tries} {words}, {share}"


def bench(tries: int = 1000, seed: int = 1) -> Iterator[str]:
    """The lines to print."""
    for place, scenario in enumerate([*in_one_run(), *with_reports(), *of_accuracy()]):
        yield scenario.line(tries, seed + place)


def in_one_run() -> Iterator[Scenario]:
    """Two backends of one run, measured in turns."""
    for limit in (0, 2):
        for repeats in (20, 64, 200):
            sizes = Sizes(repeats=repeats)
            name = f"one run, limit {limit} %, {sizes.variants} variants, {repeats} repeats"
            yield Scenario(f"{name}: A/A", _two_backends(limit, sizes, 1.0, 0), is_planted=False)
            yield Scenario(f"{name}: all 5 % slower", _two_backends(limit, sizes, SLOWER, 10), is_planted=True)
            yield Scenario(f"{name}: one 5 % slower", _two_backends(limit, sizes, SLOWER, 1), is_planted=True)


def _two_backends(limit: int, sizes: Sizes, factor: float, planted: int) -> Try:
    budget = budget_of(f'[baseline]\nbackend = "old"\nmax_slower_percent = {limit}')
    slower = {"old": [1.0] * sizes.variants, "new": _factors(sizes, factor, planted)}

    def attempt(at_random: np.random.Generator) -> bool:
        times_ms = latencies_ms(Noise(), sizes, slower, at_random)
        return bool(judge(timed_run("this run", times_ms), budget).of("fail"))

    return attempt


def _factors(sizes: Sizes, factor: float, planted: int) -> list[float]:
    return [factor if place < planted else 1.0 for place in range(sizes.variants)]


def with_reports() -> Iterator[Scenario]:
    """A run against reports of earlier ones."""
    for count, drift_percent in ((1, 5.0), (5, 1.0), (10, 0.5), (10, 1.0), (20, 0.5), (20, 1.0), (10, 5.0)):
        told = "drift not told" if count == 1 else "drift from the reports"
        name = f"{count} reports, runs differ by {drift_percent:g} %, {told}, limit 2 %"
        noise, sizes = Noise(run=drift_percent / 100), Sizes()
        yield Scenario(f"{name}: A/A", _earlier(count, noise, sizes, 1.0), is_planted=False)
        yield Scenario(f"{name}: all 5 % slower", _earlier(count, noise, sizes, SLOWER), is_planted=True)


def _earlier(count: int, noise: Noise, sizes: Sizes, factor: float) -> Try:
    budget = budget_of("[baseline]\nmax_slower_percent = 2")

    def attempt(at_random: np.random.Generator) -> bool:
        def run(name: str, times: float) -> object:
            slower = {"8 CPU": _factors(sizes, times, sizes.variants)}
            return timed_run(name, latencies_ms(noise, sizes, slower, at_random))

        earlier = [run(f"{place}.json", 1.0) for place in range(count)]
        return bool(judge(run("this run", factor), budget, earlier).of("fail"))  # type: ignore[arg-type]

    return attempt


def photos_to_find(lost_share: float, differing_share: float, comparisons: int) -> int:
    """Photos with which a loss beyond the limit is found in 95 of 100 checks. Connor 1987, with our alarms."""
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
        rows = [_answers(photos, lost_share if place == 0 else 0.0, at_random) for place in range(VARIANTS_OF_A_SET)]
        return bool(judge(labelled_run("this run", rows), budget).of("fail"))

    return attempt


def _answers(photos: int, lost_share: float, at_random: np.random.Generator) -> tuple[int, int, int, int]:
    gained, lost = (DIFFERING_SHARE - lost_share) / 2, (DIFFERING_SHARE + lost_share) / 2
    both = RIGHT_SHARE - lost
    drawn = at_random.multinomial(photos, [both, gained, lost, 1 - both - gained - lost])
    return tuple(int(number) for number in drawn)  # type: ignore[return-value]
