"""A load of several parts, as a ladder or bursts of several sizes: one load.json with `steps`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.codec import from_dict
from loadtest.records import Generator, Kind, Load, Sample, Summary, Taken
from loadtest.results.load_json import TIME_DIGITS_S, generator_dict, load_of, summary_dict


def joined(loads: Sequence[Load], kind: Kind) -> Load:
    """All loads as one, on the clock of the first: their requests follow one another."""
    first, starts_s = loads[0], _starts_s(loads)
    samples = [
        _moved(sample, start_s)
        for load, start_s in zip(loads, starts_s, strict=True)
        for sample in load.taken.samples
    ]
    generators = [load.taken.generator for load in loads]
    taken = Taken(
        samples=samples,
        started_at=first.taken.started_at,
        seconds=starts_s[-1] + loads[-1].taken.seconds,
        generator=Generator(
            late_p99_ms=None,
            late_max_ms=max(each.late_max_ms for each in generators),
            cpu_percent=max(each.cpu_percent for each in generators),
            in_flight_max=max(each.in_flight_max for each in generators),
        ),
        stopped=loads[-1].taken.stopped,
        messages={cause: text for load in reversed(loads) for cause, text in load.taken.messages.items()},
    )
    return replace(first, kind=kind, offered_per_s=None, planned_s=None, in_flight=None, taken=taken)


def summary_of_steps(
    loads: Sequence[Load], summaries: Sequence[Summary], judged: Sequence[Summary] | None = None
) -> Summary:
    """Counts of all steps, without percentiles: those of a mixture of loads would describe none of them.

    The verdict is that of the worst step, or of the worst of those that are `judged`.
    """
    judged = summaries if judged is None else judged
    causes: dict[str, int] = {}
    for summary in summaries:
        for cause, count in summary.causes.items():
            causes[cause] = causes.get(cause, 0) + count
    answered = sum(summary.count - summary.failures for summary in summaries)
    worst = max((each.validity for each in judged), key=("VALID", "NOISY", "INVALID").index)
    return Summary(
        count=sum(summary.count for summary in summaries),
        failures=sum(summary.failures for summary in summaries),
        achieved_per_s=answered / sum(load.taken.seconds for load in loads),
        goodput_per_s=None,
        **dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "max_ms")),
        causes=causes,
        validity=worst,
        reasons=tuple(dict.fromkeys(reason for summary in judged for reason in summary.reasons)),
    )


def steps(loads: Sequence[Load], summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """The key `steps` of load.json."""
    made, first_request = [], 0
    for load, summary, start_s in zip(loads, summaries, _starts_s(loads), strict=True):
        made.append(
            {
                "first_request": first_request,
                "start_s": start_s,
                "seconds": load.taken.seconds,
                "arrivals": load.arrivals,
                "offered_per_s": load.offered_per_s,
                "planned_s": load.planned_s,
                "in_flight": load.in_flight,
                "summary": summary_dict(summary),
                "generator": generator_dict(load.taken.generator),
                "validity": summary.validity,
                "reasons": list(summary.reasons),
            }
        )
        first_request += summary.count
    return made


def loads_of(data: Mapping[str, Any]) -> list[Load]:
    """The loads of a load.json: one for each step, or the one that it is about."""
    whole = load_of(data)
    return [_step_of(whole, step) for step in data["steps"]] if data.get("steps") else [whole]


def _step_of(whole: Load, step: Mapping[str, Any]) -> Load:
    first, start_s = step["first_request"], step["start_s"]
    samples = whole.taken.samples[first : first + step["summary"]["count"]]
    taken = replace(
        whole.taken,
        samples=[_moved(sample, -start_s) for sample in samples],
        started_at=whole.taken.started_at + start_s,
        seconds=step["seconds"],
        generator=from_dict(Generator, step["generator"]),
        stopped=None,
    )
    asked = ("arrivals", "offered_per_s", "planned_s", "in_flight")
    return replace(whole, taken=taken, **{key: step[key] for key in asked if key in step})


def _starts_s(loads: Sequence[Load]) -> list[float]:
    """When each load started, after the first. Never before the one before it ended: clocks are set."""
    starts_s, end_s = [], 0.0
    for load in loads:
        start_s = max(load.taken.started_at - loads[0].taken.started_at, end_s)
        starts_s.append(round(start_s, TIME_DIGITS_S))  # as the times of requests are
        end_s = starts_s[-1] + load.taken.seconds
    return starts_s


def _moved(sample: Sample, by_s: float) -> Sample:
    due_s, sent_s = sample.due_s + by_s, sample.sent_s + by_s
    return sample._replace(due_s=round(due_s, TIME_DIGITS_S), sent_s=round(sent_s, TIME_DIGITS_S))
