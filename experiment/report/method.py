"""What each number means and how a run was measured, in sentences.

Written once: the page shows the method() that its report carries and the definitions of /api/config, the HTML
report prints the first, docs/numbers.md has the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiment.axes import AXES
from experiment.codec import from_dict
from experiment.records import Plan, Variant
from experiment.report.goals import MARGIN_POINTS, allowed_fall_points
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, SAMPLES_FOR_P90, SAMPLES_FOR_P99
from experiment.report.validity import NOISE_SHARE
from experiment.wording import compared_with, count, format_name, listed, margin_words

_NOISE = f"{NOISE_SHARE * 100:.0f} %"
_USUAL = [
    *(f"q{AXES['quality'].usual(key)} for {format_name(key)}" for key in ("jpeg", "webp", "avif")),
    *(AXES[key].words(AXES[key].usual("jpeg")) for key in ("subsampling", "resampler")),
]
_NAMES = f"A variant's name lists only non-default settings. The defaults: {', '.join(_USUAL)}."
_FEWEST = "Of the variants that answered every request and meet the goals, the one with the fewest bytes"
_STEPS = (
    "Smaller copies are made in steps from larger ones where that gives nearly the same picture (as a rule "
    "over 50 dB PSNR). A copy's resize time covers all steps from the original."
)

DEFINITIONS = {
    "Variant": f"One copy of the photo: a size, a format, a quality. The original is one of them. {_NAMES}",
    "Backend": "A model server that the variants are sent to.",
    "Latency": "The whole request as a client sees it: build the message, send it, wait, parse the answer. "
    "Making the variant is never part of it.",
    "p50": "The median of the counted requests, with a 95 % interval that assumes no distribution (order "
    f"statistics, from {SAMPLES_FOR_INTERVAL} samples).",
    "p90, p99": "90 % and 99 % of the counted requests were faster. Shown only from "
    f"{SAMPLES_FOR_P90} and {SAMPLES_FOR_P99} samples: with fewer they can't be known.",
    "Cold": "The very first request of a variant to a backend. It and the other warm-ups are never counted.",
    "Server time": "The server's own stages (queue, decode, inference), if it reports them.",
    "Queue wait, batch, service": "Stages of a request through a queue. queue_wait: from submitting the job "
    "until a worker claims it, by Redis' clock. batch_wait: until the worker asks the model (fetching "
    "the photos of its batch, reading them). service: the worker's request to the model, of the whole batch; "
    "the model server's own stages are parts of it. The rest of the latency is Redis and the network.",
    "Batch": "How many jobs were in the batch of an answer from a queue. A run has one request at a time "
    "under way, so it is 1 unless others use the same queue.",
    "Decode request": "If a server does not report its decoding time, requests that only decode and resize "
    "are sent between the others. They do not count as samples; the rest of the latency is the model and its "
    "answer.",
    "Resize time": "CPU time (in the browser: elapsed time) from the original to this size. " + _STEPS,
    "Agreement": "The same top answer as this backend gave to the original; also the change of that label's "
    "probability in percentage points, and how many of the top 5 stay. It does not say that the answer is "
    "right.",
    "Accuracy": "Whether the answer is right. Known only if you name what the photo shows, or send photos "
    "with labels.",
    "Offered rate": "Requests per second of a load test, sent at random times (Poisson) whether or not "
    "earlier ones were answered. Each latency counts from when its request was due, so a stall is charged "
    "to every request that waited.",
    "Capacity": "The highest offered rate at which the limit of latency holds, mostly of p99, with failures "
    "counted as too slow; with a 95 % interval. It is that of one variant on one backend within that limit.",
    "Knee": "The rate with the most answers per second for each millisecond of p50 (Kleinrock's power). "
    "Below it more load costs little time; above it more time buys little load.",
    "Goodput": "Right answers per second: the true label if you named one, else the answer that this backend "
    "gave to the original.",
    "Recommended": f"{_FEWEST}. By default the top answer must stay the same, with a probability at most "
    f"{margin_words(MARGIN_POINTS)} lower.",
}

VALIDITY = {
    "VALID": f"No failures, an interval within {_NOISE} of p50.",
    "NOISY": f"The interval is wider than {_NOISE}, or other work on this machine delayed most samples. More "
    "repeats narrow it; so does a quieter machine.",
    "INVALID": "Failures, shared cores measured at the same time, or too few samples. Do not rely on the "
    "times.",
}

_OF_A_SET = {
    "Top-1, top-5": "The share of photos with a label that the model knows whose label is the first answer, "
    "or one of the first five. Intervals of shares are Wilson's, 95 %.",
    "Difference": "Top-1 against the original's on the same photos and backend, in percentage points, with "
    "Newcombe's paired 95 % interval.",
    "McNemar p": "The exact p of McNemar's test: whether as many photos could have been gained as lost. Each "
    "p is that of one comparison; Holm's is corrected for all of them.",
    "Agreement": "The share of photos with the same top answer as the same backend gave to the original.",
}

_OF_A_QUEUE = ("Queue wait, batch, service", "Batch")
_OF_A_LOAD = ("Offered rate", "Capacity", "Knee", "Goodput")

_ORDERS = {
    "auto": "backends were measured in parallel; those that share cores took turns",
    "parallel": "all backends were measured in parallel",
    "in_turns": "the backends took turns, request by request",
    "one_at_a_time": "one backend was finished before the next began",
}

_MADE_IN_A_BROWSER = (
    "Variants with “browser/” in their name were resized in the browser, by the engine named; the server "
    "made the others. The browser's stage times are wall-clock time, the server's are CPU time. pica makes "
    "copies smaller than a quarter of an existing size from that size, and its resize time covers both "
    "steps; plain canvas makes each from the photo. A browser writes PNG as RGBA, where the server writes "
    "RGB. The model drops the fourth channel, but the bytes hold it."
)


def terms(definitions: Mapping[str, str]) -> list[dict[str, str]]:
    """As JSON that keeps their order: [{"term": "Latency", "text": "The whole request …"}]."""
    return [{"term": term, "text": text} for term, text in definitions.items()]


def method(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """How an exported report was measured and what its numbers mean, in the order to be read: see terms()."""
    plan, photo_set = from_dict(Plan, report["plan"]), report.get("photo_set")
    workers = report["environment"].get("workers") or 1
    words = {
        "Photos": _photos(photo_set, workers) if photo_set else "",
        "This run": _this_run(plan, workers),
        "Repeats added": _added(report, plan),
        "Variants": _variants(report, plan),
        "The photo": " ".join(report["source"].get("notes") or ()),
        **{term: DEFINITIONS[term] for term in ("Latency", "p50", "p90, p99")},
    }
    if any(cell.get("decode_request_ms") for cell in report["cells"]):
        words["Decode request"] = DEFINITIONS["Decode request"]
    if any(info["protocol"] == "queue" for info in report["backends"]):
        words |= {term: DEFINITIONS[term] for term in _OF_A_QUEUE}
    words |= {**_OF_A_SET, "Margin": _margin(photo_set, plan)} if photo_set else _of_one_photo(report, plan)
    if report.get("load"):
        words |= {term: DEFINITIONS[term] for term in _OF_A_LOAD}
        words["Under load"] = _under_load(report["load"])
    words["Validity"] = " ".join(f"{verdict}: {text}" for verdict, text in VALIDITY.items())
    return terms({term: text for term, text in words.items() if text})


def _photos(photo_set: Mapping[str, Any], workers: int) -> str:
    together = f" by each of {workers} workers" if workers > 1 else ""
    return (
        f"{photo_set['measured']:,} of {count(photo_set['count'], 'photo')} were measured, one after "
        f"another{together} in random order; {photo_set['labelled']:,} have a label that the model knows. "
        "Warm-ups came with the first photo of each size. Bytes, sizes and p50 are medians over the photos; "
        "a cell has one latency for each photo."
    )


def _this_run(plan: Plan, workers: int) -> str:
    at_a_time = "one request of each worker at a time" if workers > 1 else "one request at a time"
    return (
        f"Each variant went to each backend {count(plan.warmups, 'time')} to warm up, which is never "
        f"counted, and {count(plan.repeats, 'time')} to be measured, in random order (seed {plan.seed}), "
        f"{at_a_time}; {_ORDERS[plan.order]}. Failed requests are never counted as latencies."
    )


def _added(report: Mapping[str, Any], plan: Plan) -> str:
    return " ".join(
        f"{added['repeats']} of these {plan.repeats} repeats were added at {added['created_at']}, on the "
        f"same bytes (seed {added['seed']})."
        for added in report.get("additions", ())
        if not added.get("retried")
    )


def _under_load(load: Sequence[Mapping[str, Any]]) -> str:
    """How many rates were tried, and where the load generator ran."""
    rates = sum(len(curve["points"]) for curve in load)
    requests = sum(point["count"] for curve in load for point in curve["points"])
    shared = list(dict.fromkeys(curve["backend_name"] for curve in load if curve["shares_machine"]))
    words = (
        f"After the run, {count(requests, 'request')} at {count(rates, 'rate')} went to "
        f"{count(len(load), 'cell')}. They are no samples of the run."
    )
    if shared:
        words += f" The load generator ran on the machine of {listed(shared)}, and used some of its CPU time."
    return words


def _variants(report: Mapping[str, Any], plan: Plan) -> str:
    """Where they were resized and with what, and what their names say."""
    filters = listed([name.capitalize() for name in plan.resamplers])
    engines = listed(plan.browser_engines)
    places = {
        "server": f"with {filters}",
        "browser": f"in the browser by {engines}",
        "both": f"on the server with {filters} and in the browser by {engines}",
    }
    sentences = [f"All were made before timing began, resized {places[plan.resize_in]}. {_NAMES}"]
    if plan.resize_in != "browser":
        sentences.append(_STEPS)
    if any(variant.get("engine") for variant in report["variants"]):
        sentences.append(_MADE_IN_A_BROWSER)
    return " ".join(sentences)


def _of_one_photo(report: Mapping[str, Any], plan: Plan) -> dict[str, str]:
    """Agreement, accuracy, and what the recommended variant had to fulfil beside limits of time and size."""
    reference = compared_with(
        from_dict(Variant, variant) for variant in report["variants"] if variant["is_reference"]
    )
    label = report["source"]["true_label"]
    answer = "The answer was allowed to change."
    if plan.keep_top1:
        must = "be the true label" if label else "stay"
        fall = margin_words(allowed_fall_points(plan))
        answer = f"The top answer must {must}, and its probability may fall by at most {fall}."
    return {
        "Agreement": f"The same top answer as this backend gave to the {reference}; also the change of that "
        "label's probability in percentage points, and how many of the top 5 stay.",
        "Accuracy": f"Whether the top answer is the true label, {label}."
        if label
        else "Unknown: without a true label this is agreement, not accuracy.",
        "Recommended": f"{_FEWEST}. {answer}",
    }


def _margin(photo_set: Mapping[str, Any], plan: Plan) -> str:
    if not plan.keep_top1:
        return (
            "None: the answer was allowed to change, so the fewest bytes are recommended, whatever they lose."
        )
    return (
        "A variant is recommended only when its interval shows that it loses less than "
        f"{margin_words(photo_set['margin_points'])}. With few photos, the lack of a "
        "significant difference proves nothing."
    )
