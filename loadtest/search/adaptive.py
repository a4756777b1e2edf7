"""search(): which rates to try next, from what the trials so far say. It knows nothing of networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace

from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99
from experiment.wording import joined
from loadtest.records import Taken
from loadtest.search.edge import Counted, Edge, edge_of
from loadtest.search.records import CutOff, Limits, Trial
from loadtest.search.trials import SETTLE_PART, trial_of

# First the curve, from half of what a closed loop reached: parts of that rate.
BRACKET = (0.5, 0.7, 0.85, 1.0)
SHORTEST_PART, LONGEST_PART = 0.05, 0.1  # of the budget, for each of them
DOWN, MOST_DOWN = 0.5, 5  # while the lowest rate is too high
UP, MOST_UP = 1.4, 6  # while the highest rate is not: less than
TOO_HIGH = 3  # times the share that may be late, is late
HOPELESS_SHARE = 0.5  # late: higher rates say nothing more
# Then the edge: quantiles of where it may be. Rates above it say more than those below, where little is late.
AT_EDGE = (0.5, 0.7, 0.35, 0.6, 0.5)
LEAST_RATES = 5  # of the curve
BEYOND = 1.3  # times the highest rate that was tried, at most
STEP_PART = 0.05  # of the scale: rates are whole multiples of it, so that some are tried twice
MOST_TRIALS = 60  # one that refuses everything at once takes no time, and must not be asked for ever
SHARES = {99: 0.01, 90: 0.1}  # percentile -> the share of requests that may be over the limit
FLOORS = {99: SAMPLES_FOR_P99, 90: SAMPLES_FOR_P90}
NEAR = 1.25  # a rate is near another within this factor

Offer = Callable[[float, float, int], Taken]  # rate_per_s, seconds, seed -> what came of it


class Search:
    """One search: `trials` grows as it goes on, and stays if it ends early."""

    def __init__(
        self,
        offer: Offer,
        limits: Limits,
        unloaded_ms: float,
        scale_per_s: float,
        left_s: Callable[[], float],
        why_end: Callable[[], str | None] = lambda: None,
        on_trial: Callable[[Trial], None] = lambda trial: None,
        on_begin: Callable[[float, float], None] = lambda rate_per_s, seconds: None,
    ):
        """`scale_per_s` is what a closed loop reached, `left_s` tells how much of the budget is left.

        `why_end` is asked after each trial: a sentence ends the search.
        """
        self._offer = offer
        self._limit_ms = limits.limit_ms
        self._unloaded_ms = unloaded_ms
        self._scale_per_s = scale_per_s
        self._budget_s = limits.budget_s
        self._left_s = left_s
        self._seed = limits.seed
        self._why_end = why_end
        self._on_trial = on_trial
        self._on_begin = on_begin
        self._step_per_s = _round_step(STEP_PART * scale_per_s)
        self.trials: list[Trial] = []
        self.why_ended: str | None = None  # a sentence: why before the budget was spent; None: it was not
        self.cut_off: CutOff | None = None  # the outcome, if nothing more can be said

    def go(self) -> None:
        """Make trials until the budget is spent, the target stops answering, or it is cancelled."""
        for rate_per_s in self._bracket():
            self._try(rate_per_s, self._bracket_s(rate_per_s))
            if self._must_end():
                return
        for number, part in enumerate(AT_EDGE):
            seconds = (self._left_s() - self._overhead_s) / (len(AT_EDGE) - number)
            if seconds < self._shortest_s() or not used(self.trials):
                return
            rate_per_s, tried = self._at_edge(part), {trial.offered_per_s for trial in used(self.trials)}
            if LEAST_RATES - len(tried) >= len(AT_EDGE) - number:
                rate_per_s = self._beside(rate_per_s, tried)
            self._try(rate_per_s, seconds)
            if self._must_end():
                return

    @property
    def _overhead_s(self) -> float:
        """About how long the last answers of a trial, and connecting for the next one, take."""
        return 0.1 + self._limit_ms / 1e3

    def _shortest_s(self) -> float:
        """Of a trial that says something."""
        return max(SHORTEST_PART * self._budget_s / 2, self._limit_ms / 1e3)

    def _bracket_s(self, rate_per_s: float) -> float:
        wanted_s = SAMPLES_FOR_P90 / (1 - SETTLE_PART) / rate_per_s
        return min(max(wanted_s, SHORTEST_PART * self._budget_s), LONGEST_PART * self._budget_s)

    def _bracket(self) -> Iterator[float]:
        """Rates for the curve; each is chosen when those before have been tried."""
        share, hopeless = self._share, False
        for part in BRACKET:
            if not hopeless:
                yield part * self._scale_per_s
                hopeless = late_share(self.trials[-1], self._limit_ms) > HOPELESS_SHARE
        for power in range(1, MOST_DOWN + 1):
            if used(self.trials) and self._late_at(min) <= share:
                break
            yield BRACKET[0] * DOWN**power * self._scale_per_s
        for power in range(1, MOST_UP + 1):
            if hopeless or not used(self.trials) or self._late_at(max) > TOO_HIGH * share:
                break
            for _ in range(2):  # tries; if the generator was late in both, it can't do this rate
                yield UP**power * self._scale_per_s
                if not self.trials[-1].not_used:
                    break
            else:
                break

    def _late_at(self, which: Callable[..., Trial]) -> float:
        """The share that was late at the lowest (min) or highest (max) rate that says something."""
        return late_share(which(used(self.trials), key=lambda each: each.offered_per_s), self._limit_ms)

    @property
    def _share(self) -> float:
        """Late requests that may be, of the percentile that the budget will allow."""
        likely = LONGEST_PART * len(AT_EDGE) * self._budget_s * self._scale_per_s * (1 - SETTLE_PART)
        return SHARES[99] if likely >= FLOORS[99] else SHARES[90]

    def _at_edge(self, part: float) -> float:
        rates = [trial.offered_per_s for trial in used(self.trials)]
        edge = posterior(
            self.trials, self._limit_ms, self._unloaded_ms, self._scale_per_s, self._share
        ).quantile(part)
        return min(max(edge, DOWN * min(rates)), BEYOND * max(rates))

    def _beside(self, rate_per_s: float, tried: Set[float]) -> float:
        """The nearest rate that was not tried yet."""
        steps = round(rate_per_s / self._step_per_s)
        near = sorted(range(1, steps + len(tried) + 2), key=lambda each: abs(each - steps))
        return next(each * self._step_per_s for each in near if self._rounded(each) not in tried)

    def _rounded(self, steps: int) -> float:
        return float(f"{steps * self._step_per_s:.6g}")  # 0.30000000000000004

    def _try(self, rate_per_s: float, seconds: float) -> None:
        rate_per_s = self._rounded(max(round(rate_per_s / self._step_per_s), 1))
        seconds = max(min(seconds, self._left_s()), 1e-3)
        self._on_begin(rate_per_s, seconds)
        taken = self._offer(rate_per_s, seconds, 1000 * self._seed + len(self.trials))
        self.trials.append(trial_of(taken, rate_per_s, seconds, self._limit_ms, self._share))
        self._on_trial(self.trials[-1])

    def _must_end(self) -> bool:
        if sentence := self._why_end():
            self.cut_off = "cancelled"
            self.why_ended = sentence
        elif self.trials[-1].samples and not any(sample.ok for sample in self.trials[-1].samples):
            self.cut_off = "no_answer"
            message = next(iter(self.trials[-1].taken.messages.values()), "")
            self.why_ended = joined("The target stopped answering, and the search with it.", message)
            self._forget_the_last_answered()
        return (
            self.why_ended is not None
            or self._left_s() < self._shortest_s()
            or len(self.trials) >= MOST_TRIALS
        )

    def _forget_the_last_answered(self) -> None:
        """A target that went away in the middle of a trial made it fail, not the rate of the trial."""
        if len(self.trials) > 1 and not self.trials[-2].samples[-1].ok:
            self.trials[-2] = replace(self.trials[-2], not_used="The target stopped answering in it.")


def used(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that say something of the target."""
    return [trial for trial in trials if not trial.not_used and trial.counted]


def late_share(trial: Trial, limit_ms: float) -> float:
    """The part of the counted requests that failed or took longer than the limit."""
    counted = trial.counted
    return sum(not sample.ok or sample.latency_ms > limit_ms for sample in counted) / max(len(counted), 1)


def posterior(
    trials: Sequence[Trial], limit_ms: float, unloaded_ms: float, scale_per_s: float, share: float
) -> Edge:
    """Where `share` of the requests is over the limit, from all trials that say something."""
    counted = [
        Counted(
            trial.offered_per_s,
            [sample.latency_ms if sample.ok else math.inf for sample in trial.counted],
        )
        for trial in used(trials)
    ]
    return edge_of(counted, limit_ms, unloaded_ms, share, scale_per_s)


def _round_step(step: float) -> float:
    """The step as 1, 2 or 5 times a power of ten: 1.66 -> 2."""
    power: float = 10 ** math.floor(math.log10(step))
    return min((1, 2, 5, 10), key=lambda digit: abs(math.log(step / power / digit))) * power
