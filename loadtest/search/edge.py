"""edge_of(): at which rate a given share of the requests is over the limit, and how surely.

The share that is late grows steeply with the rate, and near the edge it grows as a power of it: its log-odds
are a straight line over the logarithm of the rate, with an unknown place (the capacity) and an unknown
steepness. Every trial says how many of its requests were late, and all trials together say, for each place
and steepness, how likely that is: a posterior on a grid, with flat priors on the logarithms.

Late requests come in bursts, because a queue that is long stays long for a while. A hundred late requests of
two bursts are two facts, not a hundred. So the likelihood is divided by the size of a burst, weighted by size
(the design effect of cluster sampling: Kish 1965, Survey Sampling, 8.2; for queues, the same as the sum of
autocorrelations). tests/loadtest/test_capacity_simulated.py holds the intervals against queues whose
capacity is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

PLACES, STEEPNESSES = 400, 24  # of the grid
LOWEST, HIGHEST = 0.02, 6.0  # capacity over the scale
ABOVE = 2.0  # times the highest rate that was tried
STEEPNESS = 3.0, 150.0  # of log-odds over log rate; 5 in an M/M/1 queue with loose limits, 50 in a fleet
FAR_LOG_ODDS = 2.0  # a trial so far from the edge counts half
# Bursts grow with the share of late requests; simulated queues agree on about this power of it.
BURST_GROWTH = 0.55
# Before any burst was seen: as if three were, each of so many times the requests that wait when the limit
# is reached.
PRIOR_BURSTS, PRIOR_BACKLOGS = 3, 2.5
SMALLEST_PRIOR_BURST = 2.0

_Grid = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one trial says: its rate, and the latency of each request in the order they were due."""

    rate_per_s: float
    latencies_ms: Sequence[float]  # infinite for a failed request


@dataclass(frozen=True, slots=True)
class Edge:
    """The posterior of the capacity, as its quantiles."""

    places_per_s: _Grid
    cumulated: _Grid

    def quantile(self, part: float) -> float:
        """The rate below which the capacity lies with the probability `part`."""
        place = np.interp(part, self.cumulated, np.log(self.places_per_s))
        return math.exp(float(place))


def edge_of(
    trials: Sequence[Counted], limit_ms: float, unloaded_ms: float, share: float, scale_per_s: float
) -> Edge:
    """Where the share of requests over `limit_ms` reaches `share` (0..1).

    `scale_per_s` is a rate of the same order as the capacity: 0.02 to 6 times it is looked at, and always
    what lies above the highest rate that was tried.
    """
    highest = max([HIGHEST * scale_per_s, *(ABOVE * trial.rate_per_s for trial in trials)])
    log_places = np.log(np.geomspace(LOWEST * scale_per_s, highest, PLACES))
    steepnesses = np.geomspace(*STEEPNESS, STEEPNESSES)
    late = [sum(latency > limit_ms for latency in trial.latencies_ms) for trial in trials]
    backlog = scale_per_s * max(limit_ms - unloaded_ms, 0.0) / 1e3
    burst = _burst_size(trials, late, limit_ms, share, backlog)
    # Bursts depend on the share, so the shares are estimated first as observed, then from the first fit.
    shares = [
        (count + 0.5) / (len(trial.latencies_ms) + 1) for count, trial in zip(late, trials, strict=True)
    ]
    for _ in range(2):
        likelihood = np.zeros((PLACES, STEEPNESSES))
        for trial, over, expected in zip(trials, late, shares, strict=True):
            odds = _log_odds(trial.rate_per_s, log_places, steepnesses, share)
            fit = over * odds - len(trial.latencies_ms) * np.logaddexp(0, odds)
            likelihood += _nearness(expected, share) * fit / max(burst * _growth(expected, share), 1.0)
        posterior = np.exp(likelihood - likelihood.max())
        posterior /= posterior.sum()
        shares = [
            float(
                (posterior / (1 + np.exp(-_log_odds(trial.rate_per_s, log_places, steepnesses, share)))).sum()
            )
            for trial in trials
        ]
    return Edge(np.exp(log_places), np.cumsum(posterior.sum(axis=1)))


def _log_odds(rate_per_s: float, log_places: _Grid, steepnesses: _Grid, share: float) -> _Grid:
    """For every place and steepness, the log-odds that a request at this rate is late."""
    distance = math.log(rate_per_s) - log_places[:, None]
    odds: _Grid = np.clip(math.log(share / (1 - share)) + steepnesses[None, :] * distance, -60, 60)
    return odds


def _nearness(late_share: float, share: float) -> float:
    """The weight of a trial, 0..1: far from the edge the line over the rate is bent."""
    distance = math.log(late_share / (1 - late_share)) - math.log(share / (1 - share))
    return 1 / (1 + (distance / FAR_LOG_ODDS) ** 2)


def _growth(late_share: float, share: float) -> float:
    """How much larger bursts are where `late_share` of the requests is late than at the edge."""
    return float((max(late_share, share / 4) / share) ** BURST_GROWTH)


def _burst_size(
    trials: Sequence[Counted], late: Sequence[int], limit_ms: float, share: float, backlog: float
) -> float:
    """The size of a burst at the edge, weighted by size."""
    prior = max(PRIOR_BACKLOGS * backlog, SMALLEST_PRIOR_BURST)
    squares, total, seen = PRIOR_BURSTS * prior**2, PRIOR_BURSTS * prior, 0
    for trial, over in zip(trials, late, strict=True):
        part = over / max(len(trial.latencies_ms), 1)
        if part > 0.5:
            continue  # one burst, which the end of the trial has cut off
        for size in bursts(trial.latencies_ms, limit_ms):
            at_edge = max(size / _growth(part, share), 1.0)
            squares, total, seen = squares + at_edge**2, total + at_edge, seen + 1
    # Few bursts understate it: a large one is rare, and has probably not been seen.
    return squares / total * (1 + 1 / (seen + 1))


def bursts(latencies_ms: Sequence[float], limit_ms: float) -> list[int]:
    """Late requests in each burst. A burst ends when a request takes no longer than the median.

    >>> bursts([9, 50, 60, 20, 70, 8, 9, 10, 50, 9], limit_ms=40)
    [3, 1]
    """
    middle = median(latencies_ms) if latencies_ms else 0.0
    sizes, size = [], 0
    for latency_ms in latencies_ms:
        if latency_ms > limit_ms:
            size += 1
        elif latency_ms <= middle and size:
            sizes.append(size)
            size = 0
    return [*sizes, size] if size else sizes
