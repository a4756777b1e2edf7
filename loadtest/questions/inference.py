"""How much of the time is inference? From the stages that the server reports, else from its counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiment.codec import to_dict
from experiment.figures.frame import axis
from experiment.figures.palette import LIGHT
from experiment.report.statistics import median_interval, percentile
from experiment.wording import bounds, capitalised, listed, milliseconds
from loadtest.answers.answer import Answer, answer, not_known
from loadtest.questions.prometheus import HOW_TO_GET, Counters, pages_of, read_counters
from loadtest.questions.target import TIMEOUT_S, Target
from loadtest.records import Payload, Sample
from loadtest.send.load import WARMUPS, keep_in_flight
from loadtest.send.recording import Watch

KEY, QUESTION = "inference", "How much of the time is inference?"
IN_FLIGHT = (1, 8)
BLOCKS = 10  # of each; the interval is over blocks: requests beside each other are not independent
REST = "network, protocol, client"
# Stage -> its words in sentences. Stages that are not in here are shown under their own name.
WORDS = {
    "inference": "inference",
    "decode": "decoding",
    "queue": "waiting in the queue",
    "run": "the model's run (with decoding)",
    "server": "queue and protocol at the server",
    REST: "the rest (network, protocol, client)",
}
COLOURS = (LIGHT.serving, LIGHT.preparing, LIGHT.sending, *LIGHT.backends[1:])
PATTERNS = ("", "/", ".", "x", "|", "-")


@dataclass(frozen=True, slots=True)
class Split:
    """The mean time of the requests of one block, in parts. The parts add up to `latency_ms`."""

    in_flight: int
    latency_ms: float
    parts_ms: Mapping[str, float]
    requests: int
    others: int = 0  # requests by others that the counters hold as well


def how_much_is_inference(target: Target, payload: Payload, seconds: float, watch: Watch) -> Answer:
    """The answer, from loads of about `seconds` together."""
    blocks: dict[int, list[Split]] = {count: [] for count in IN_FLIGHT}
    keep_in_flight(target.info, payload, 1, 1.0, TIMEOUT_S, watch, requests=WARMUPS)
    length_s = seconds / BLOCKS / len(IN_FLIGHT)
    for _ in range(BLOCKS):
        for count in IN_FLIGHT:
            if not watch.cancel.is_set():
                blocks[count] += _block(target, payload, count, length_s, watch)
        if not blocks[1]:
            break  # neither stages nor counters, or no answer: further requests would not tell more
    if not blocks[1]:
        return not_known(KEY, QUESTION, _why_not(target))
    return _answer(target, blocks)


def split_of(in_flight: int, samples: Sequence[Sample], counted: Counters | None) -> Split | None:
    """Where the time of a block's requests went; None if neither stages nor counters say."""
    good = [sample for sample in samples if sample.ok]
    if not good:
        return None
    latency_ms = sum(sample.latency_ms for sample in good) / len(good)
    staged = [sample.stages_ms for sample in good if sample.stages_ms]
    if len(staged) == len(good):
        names = dict.fromkeys(name for stages in staged for name in stages)
        parts = {name: sum(stages.get(name, 0.0) for stages in staged) / len(good) for name in names}
        return _whole(in_flight, latency_ms, parts, (len(good), 0))
    if counted is None or not counted.requests or counted.request_ms is None:
        return None
    server_ms = counted.request_ms / counted.requests
    others = max(round(counted.requests) - len(good), 0)
    if not counted.runs or counted.runtime_ms is None:
        return None
    run_ms = counted.runtime_ms / counted.runs
    parts = {"run": run_ms, "server": max(server_ms - run_ms, 0.0)}
    return _whole(in_flight, latency_ms, parts, (len(good), others))


def _whole(in_flight: int, latency_ms: float, parts_ms: dict[str, float], requests: tuple[int, int]) -> Split:
    rest_ms = max(latency_ms - sum(parts_ms.values()), 0.0)
    return Split(in_flight, latency_ms, {**parts_ms, REST: rest_ms}, *requests)


def _block(target: Target, payload: Payload, count: int, seconds: float, watch: Watch) -> list[Split]:
    before = read_counters(target)
    taken = keep_in_flight(target.info, payload, count, seconds, TIMEOUT_S, watch, warmups=0)
    after = read_counters(target)
    split = split_of(count, taken.samples, after.since(before) if before and after else None)
    return [split] if split else []


def _answer(target: Target, blocks: Mapping[int, Sequence[Split]]) -> Answer:
    stages = list(dict.fromkeys(name for splits in blocks.values() for s in splits for name in s.parts_ms))
    model = next(name for name in ("inference", "run") if name in stages) if _has_model(stages) else stages[0]
    shares = {count: _shares(splits, stages) for count, splits in blocks.items() if splits}
    of_blocks = [split.parts_ms[model] / split.latency_ms for split in blocks[1]]
    low, high = median_interval(of_blocks) or (None, None)
    latency_ms = _median([split.latency_ms for split in blocks[1]])
    interval = "" if low is None or high is None else f" (95 %: {bounds(100 * low, 100 * high)})"
    others = sorted((name for name in stages if name != model), key=lambda name: -shares[1][name])
    words = listed([f"{_word(name)} is {100 * shares[1][name]:.0f} %" for name in others])
    sentence = (
        f"{capitalised(_word(model))} is {100 * shares[1][model]:.0f} % of the time{interval}: "
        f"{milliseconds(shares[1][model] * latency_ms)} of {milliseconds(latency_ms)}, one request at a "
        "time. "
        f"{capitalised(words)}.{_busy_words(shares)}"
    )
    rows = [_row(count, splits, stages) for count, splits in blocks.items() if splits]
    facts = {"share": shares[1][model], "low": low, "high": high, "latency_ms": latency_ms, "by": model}
    columns = ("Requests at once", *(f"{_word(name)}, ms" for name in stages), "latency, ms", "requests")
    layout = {
        "barmode": "stack",
        "xaxis": axis(LIGHT, "Time of a request, ms", rangemode="tozero"),
        "yaxis": axis(LIGHT, "", type="category", autorange="reversed", ticks=""),
        "margin": {"l": 90, "r": 12, "t": 40, "b": 52},
    }
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": _word(name),
            "y": [f"{count} at once" for count in shares],
            "x": [_median([split.parts_ms.get(name, 0.0) for split in blocks[count]]) for count in shares],
            "marker": {
                "color": COLOURS[place % len(COLOURS)],
                "pattern": {"shape": PATTERNS[place % len(PATTERNS)]},
            },
        }
        for place, name in enumerate(stages)
    ]
    notes, measured = (
        _notes(target, blocks, model),
        [to_dict(s) for splits in blocks.values() for s in splits],
    )
    return answer(KEY, QUESTION, sentence, columns, rows, data, layout, notes, facts, measured)


def _has_model(stages: Sequence[str]) -> bool:
    return "inference" in stages or "run" in stages


def _shares(splits: Sequence[Split], stages: Sequence[str]) -> dict[str, float]:
    """Median over the blocks of each part's share of the latency."""
    return {
        name: _median([split.parts_ms.get(name, 0.0) / split.latency_ms for split in splits])
        for name in stages
    }


def _row(count: int, splits: Sequence[Split], stages: Sequence[str]) -> list[Any]:
    parts = [round(_median([split.parts_ms.get(name, 0.0) for split in splits]), 3) for name in stages]
    latency_ms = round(_median([split.latency_ms for split in splits]), 3)
    return [str(count), *parts, latency_ms, sum(split.requests for split in splits)]


def _busy_words(shares: Mapping[int, Mapping[str, float]]) -> str:
    """What takes most of the time with many requests at once."""
    most = max(shares)
    if most == 1:
        return ""
    name = max(shares[most], key=lambda part: shares[most][part])
    return f" With {most} requests at once, {_word(name)} is {100 * shares[most][name]:.0f} %."


def _notes(target: Target, blocks: Mapping[int, Sequence[Split]], model: str) -> list[str]:
    others = sum(split.others for splits in blocks.values() for split in splits)
    if model != "run":
        notes = ["From the stage times that the server sends with its answers."]
    else:
        notes = [
            f"From the counters request_latency and runtime_latency at {', '.join(pages_of(target))}.",
            "Counters say means only, and decoding in the model's graph is part of its run.",
        ]
    notes.append(f"Interval of the median over {len(blocks[1])} blocks of requests.")
    if others:
        notes.append(
            f"Others sent {others:,} requests meanwhile, which the counters hold too: repeat it alone."
        )
    return notes


def _why_not(target: Target) -> str:
    pages = ", ".join(pages_of(target))
    counters = read_counters(target)
    if not pages:
        seen = "no REST port is known where its page for Prometheus would be"
    elif counters is None:
        seen = f"there is no page for Prometheus at {pages}"
    elif counters.runtime_ms is None or counters.request_ms is None or not counters.runs:
        seen = f"the page at {pages} does not count {'the runs' if counters.requests else 'the requests'}"
    else:
        seen = "no request was answered"
    return f"Not known: {target.name} sends no stage times, and {seen}. {HOW_TO_GET}"


def _word(stage: str) -> str:
    return WORDS.get(stage, stage)


def _median(values: Sequence[float]) -> float:
    return percentile(values, 50)
