"""Does the server cache? The same request again and again, against requests that it has never seen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

from experiment.backends.base import RequestFailed
from experiment.figures.frame import axis, dots, hover_text
from experiment.figures.palette import LIGHT
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, Ratio
from experiment.wording import milliseconds
from loadtest.answers.answer import Answer, answer, not_known
from loadtest.questions.exchange import Ask, exchange
from loadtest.questions.material import Material
from loadtest.questions.pairs import ratio_of_pairs
from loadtest.questions.target import TIMEOUT_S
from loadtest.send.recording import Watch

KEY, QUESTION = "caching", "Does the server cache answers?"
MOST_PER_BLOCK = 8  # counted requests; the one before them fills a cache, or is as new as they are
MOST_PAIRS = 40
PATIENCE = 10  # times as long as asked for; then it ends with too few pairs
# Distinct requests have to take this many times as long, the whole interval, before it is called a cache.
CLEARLY = 1.05
# An answer from a cache skips the model, most of the time of a request: it would save more than this.
STILL_SMALL = 1.25

Blocks = dict[str, list[float]]  # "same" and "distinct" -> the median latency of each block, ms


def does_it_cache(material: Material, seconds: float, seed: int, watch: Watch) -> Answer:
    """The answer, from pairs of blocks in alternating order, within about `seconds`."""
    try:
        blocks = _blocks(material, seconds, seed, watch)
    except RequestFailed as failed:
        return not_known(KEY, QUESTION, f"Not known: a request failed. {failed.failure.message}")
    ratio = ratio_of_pairs(blocks["distinct"], blocks["same"])
    if ratio is None:
        pairs = len(blocks["same"])
        words = f"Not known: only {pairs} of {SAMPLES_FOR_INTERVAL} pairs of blocks were measured in time. "
        return not_known(KEY, QUESTION, f"{words}Give it longer with --seconds.")
    return _answer(blocks, ratio, material)


def sentence_of(ratio: Ratio) -> str:
    """What the ratio of distinct to same requests says."""
    words = f"distinct/same {ratio.value:.2f} (95 %: {ratio.low:.2f} to {ratio.high:.2f})"
    if ratio.low > CLEARLY:
        return (
            f"Yes, it looks as if answers are kept: {words}. Requests that it has not seen take "
            f"{ratio.value:.1f} times as long, so measure with distinct ones."
        )
    if ratio.high > STILL_SMALL:
        return f"Not clear: {words}. Give it longer with --seconds, or repeat it while the machine does less."
    return f"No sign of caching: {words}."


def _blocks(material: Material, seconds: float, seed: int, watch: Watch) -> Blocks:
    found: Blocks = {"same": [], "distinct": []}
    with exchange(material.target.info) as ask:
        first = next(material.distinct_bodies(1, seed))
        for _ in range(3):  # warm-ups
            one_ms = ask(first, TIMEOUT_S).latency_ms
        per_block, pairs = _sizes(max(one_ms, 0.1), seconds)
        bodies = material.distinct_bodies(1 + pairs * (per_block + 2), seed)
        next(bodies)  # the server has seen it
        deadline = time.monotonic() + PATIENCE * seconds
        for pair in range(pairs):
            for kind in ("same", "distinct") if pair % 2 else ("distinct", "same"):
                if time.monotonic() < deadline and not watch.cancel.is_set():
                    found[kind].append(_block(ask, kind, bodies, per_block))
    return found


def _sizes(one_ms: float, seconds: float) -> tuple[int, int]:
    """Counted requests of a block, and pairs of blocks: at least so many that there is an interval."""
    requests = seconds * 1e3 / one_ms
    per_block = int(requests / (2 * SAMPLES_FOR_INTERVAL)) - 1
    per_block = min(max(per_block, 1), MOST_PER_BLOCK)
    pairs = int(requests / (2 * (per_block + 1)))
    return per_block, min(max(pairs, SAMPLES_FOR_INTERVAL), MOST_PAIRS)


def _block(ask: Ask, kind: str, bodies: Iterator[bytes], per_block: int) -> float:
    """Median latency in ms. Every block of the same request has another one, so that none stands for all."""
    if kind == "same":
        sent = [next(bodies)] * (per_block + 1)
    else:
        sent = [next(bodies) for _ in range(per_block + 1)]
    return statistics.median([ask(body, TIMEOUT_S).latency_ms for body in sent][1:])


def _answer(blocks: Blocks, ratio: Ratio, material: Material) -> Answer:
    names = {"same": "the same again", "distinct": "never sent before"}
    data = [
        dots(
            range(1, len(found) + 1),
            [round(value, 3) for value in found],
            [hover_text(names[kind], f"median of a block: {milliseconds(value)}") for value in found],
            name=names[kind],
            marker={"color": LIGHT.backends[place], "symbol": ("circle", "square-open")[place], "size": 8},
        )
        for place, (kind, found) in enumerate(blocks.items())
    ]
    pairs = zip(blocks["same"], blocks["distinct"], strict=False)
    rows = [[number, round(same, 3), round(new, 3)] for number, (same, new) in enumerate(pairs, start=1)]
    layout = {
        "xaxis": axis(LIGHT, "Pair of blocks"),
        "yaxis": axis(LIGHT, "Median latency of a block, ms", rangemode="tozero"),
    }
    facts = {"ratio": ratio.value, "low": ratio.low, "high": ratio.high, "pairs": len(rows)}
    columns = ("Pair", "the same again, ms", "never sent before, ms")
    return answer(
        *(KEY, QUESTION, sentence_of(ratio), columns, rows, data, layout, _notes(material, rows), facts),
        measured=blocks,
    )


def _notes(material: Material, rows: Sequence[object]) -> list[str]:
    what = "shifted copies of the picture, of at most 512 px" if material.picture else "random numbers"
    return [
        f"{len(rows)} pairs of blocks of requests, one at a time, in alternating order; {what}.",
        "The ratio is the median over the pairs, with its distribution-free interval.",
        "It is about whole answers. A cache that needs more than a repeat at once is not seen.",
    ]
