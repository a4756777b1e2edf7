"""The report as one HTML file that opens from disk, needs no network and prints well.

Everything that came from people or servers is escaped. The file's own policy lets only
its own two scripts and its own style in, each by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

from experiment.codec import from_dict
from experiment.decide.sections import sections
from experiment.decide.uplinks import USUAL, Uplink
from experiment.export.html_deciding import deciding_figures, deciding_html
from experiment.export.html_import import imported_words
from experiment.export.html_parts import Figures, Safe, badge, facts, items, script_json, table, text
from experiment.export.html_resizers import resizers_section
from experiment.export.html_set import METHOD as SET_METHOD
from experiment.export.html_set import cells_of_set, facts_of_set, set_run_words
from experiment.figures import figures
from experiment.records import BackendInfo, Cell, Plan, Variant
from experiment.report.contention import NOT_THERE
from experiment.report.goals import allowed_fall_points
from experiment.wording import (
    count,
    listed,
    margin_words,
    number,
    percent,
    runtime_words,
    short_label,
    short_name,
    size,
    span,
)

HERE = Path(__file__).parent
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
VENDORED = HERE.parents[1] / "static" / "vendor"

CELL_COLUMNS = (
    "Variant",
    "Bytes",
    "Backend",
    "p50, ms",
    "95 % interval",
    "Slowest, ms",
    "Answer",
    "Agrees",
    "Validity",
)
BACKEND_COLUMNS = ("Backend", "Address", "Protocol", "Model", "Device", "Runtime", "State")

# What each number means, in the words of the page.
METHOD = {
    "Latency": "The whole call as a client sees it: building the message, sending it, waiting, reading the "
    "answer. Making the variant is never part of it.",
    "p50": "The middle of all counted samples. Its 95 % interval assumes nothing about how they are spread. "
    "p90 is given from 64 samples, p99 from 662.",
    "Decode request": "If a server does not report its decoding time, requests that only decode and resize "
    "are sent between the others. The rest of the latency is the model and its answer.",
    "Agreement": "A variant's answer against the same backend's answer to the original: the same top label, "
    "the change of that label's probability, and how many of the top 5 stay.",
    "Accuracy": "Only where a true label was given: whether the answer is right.",
    "Validity": "VALID: enough samples, none failed, p50 known to within 10 %. NOISY: known less well. "
    "INVALID: requests failed, samples are too few, or something else kept the machine busy.",
}


def report_html(report: Mapping[str, Any], uplink: Uplink = USUAL) -> str:
    """The exported report as a page. Raises FileNotFoundError when static/vendor lacks plotly.js.

    `uplink`: the bandwidth that the modelled end to end is about.
    """
    style, script, plotly = (
        _read("report.css") + _vendored("plotly*.css"),
        _read("report.js"),
        _vendored("plotly*.min.js"),
    )
    drawn = {theme: figures(report, theme) for theme in THEMES}
    told = {theme: sections(report, uplink=uplink, theme=theme) for theme in THEMES}
    every = {theme: drawn[theme] | deciding_figures(told[theme]) for theme in THEMES}
    recommendation = report["recommendation"]
    page = Template(_read("report.html")).substitute(
        policy=_policy([plotly, script], style),
        title=text(f"{report['source']['name']}: {recommendation['sentence']}"),
        style=style,
        sentence=text(recommendation["sentence"]),
        verdict=Safe(_verdict(recommendation, report["state"]) + _breaking_points(report)),
        warnings=_warnings(report["warnings"]),
        figures="".join(_figure(name, each["meta"]) for name, each in drawn["light"].items()),
        deciding=deciding_html(told["light"], _figure),
        cells=Safe(_cells(report) + resizers_section(report)),
        photo=_photo(report),
        environment=_environment(report["environment"]),
        backends=_backends(report["backends"]),
        method=_method(report),
        report_json=script_json(report),
        figures_json=script_json(every),
        plotly=plotly,
        script=script,
    )
    return page.encode("utf-8", "replace").decode()  # a file name may hold what UTF-8 can't


@cache
def _read(name: str) -> str:
    return (HERE / name).read_text("utf-8")


@cache
def _vendored(pattern: str) -> str:
    found = sorted(VENDORED.glob(pattern))
    if not found:
        raise FileNotFoundError(f"static/vendor/{pattern} is missing. It comes with the repository.")
    return found[-1].read_text("utf-8")


def _policy(scripts: Iterable[str], style: str) -> str:
    allowed = " ".join(_hash(each) for each in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _verdict(recommendation: Mapping[str, Any], state: str) -> Safe:
    unfinished = "" if state == "done" else f' <span class="badge">{text(state)}</span>'
    why = f"<p>{badge(recommendation['validity'])}{unfinished} {text(recommendation['why'])}</p>"
    lighter = recommendation.get("next_lighter")  # not there before 1.4
    next_lighter = f'<p class="next-lighter">{text(lighter)}</p>' if lighter else ""
    return Safe(next_lighter + why + items(recommendation["why_not"]))


def _breaking_points(report: Mapping[str, Any]) -> Safe:
    """Of a search after the run; nothing where there was none."""
    found = [f"{each['backend_name']}: {each['sentence']}" for each in report.get("breaking_points", ())]
    return Safe(f"<h2>Breaking point</h2>{items(found)}") if found else Safe()


def _warnings(warnings: Sequence[Mapping[str, str]]) -> Safe:
    if not warnings:
        return Safe()
    lines = [Safe(f"{text(each['message'])} <small>{text(each['code'])}</small>") for each in warnings]
    return Safe(f'<section class="warnings"><h2>Before you believe a number</h2>{items(lines)}</section>')


def _figure(name: str, meta: Mapping[str, Any]) -> Safe:
    title, caption = text(meta["title"]), text(meta["caption"])
    return Safe(
        f'<figure class="{name}"><figcaption><h3>{title}</h3><p>{caption}</p></figcaption>'
        f'<div id="{name}" role="img" aria-label="{title}. {caption}"></div>'
        f"<details><summary>Show as table</summary>"
        f"{table(meta['table']['columns'], meta['table']['rows'])}</details></figure>"
    )


def _cells(report: Mapping[str, Any]) -> Safe:
    if report.get("photo_set"):
        return cells_of_set(report)
    variants = {each["id"]: from_dict(Variant, each) for each in report["variants"]}
    cells = [from_dict(Cell, each) for each in report["cells"]]
    has_label = report["source"]["true_label"] is not None
    columns = [*CELL_COLUMNS[:-1], "Correct", CELL_COLUMNS[-1]] if has_label else CELL_COLUMNS
    not_there = _not_there(report)
    asked = [each for each in cells if each.count or each.unanswered or each.backend_name not in not_there]
    rows = [_cell_row(variants[each.variant_id], each, has_label) for each in asked]
    return table(columns, rows)


def _not_there(report: Mapping[str, Any]) -> set[str]:
    """Backends that could not be used: their cells say nothing that a warning does not say."""
    return {each["name"] for each in report["backends"] if each["state"] in NOT_THERE}


def _cell_row(variant: Variant, cell: Cell, has_label: bool) -> list[Any]:
    name = short_name(variant)
    answer = f"{short_label(cell.top[0].label)}, {percent(cell.top[0].score)}" if cell.top else None
    low, high = cell.p50_low_ms, cell.p50_high_ms
    return [
        name[:1].upper() + name[1:],
        Figures(size(variant.size_bytes)),
        cell.backend_name,
        _number(cell.p50_ms),
        None if low is None or high is None else Figures(span(low, high)),
        _number(cell.max_ms),
        answer,
        cell.same_top1,
        *([cell.correct_top1] if has_label else []),
        _why_so(cell),
    ]


def _number(value_ms: float | None) -> Figures | None:
    return None if value_ms is None else Figures(number(value_ms))


def _why_so(cell: Cell) -> Safe:
    """The verdict, and what is wrong when something is."""
    reasons = "" if cell.validity == "VALID" else f"<small>{text(' '.join(cell.reasons))}</small>"
    return Safe(badge(cell.validity) + reasons)


def _photo(report: Mapping[str, Any]) -> Safe:
    if report.get("photo_set"):
        return facts_of_set(report)
    source = report["source"]
    pixels = f"{source['width_px']} x {source['height_px']} px"
    rows = [
        ("name", source["name"]),
        (
            "size",
            f"{pixels}, {size(source['size_bytes'])}, {source['media_type']}",
        ),
        ("SHA-256", source["sha256"]),
        ("true label", source["true_label"]),
        ("measured", f"{report['created_at']}, run {report['run_id']}"),
        *([("imported", imported_words(report))] if report.get("imported") else []),
    ]
    return facts("The photo", rows)


def _environment(environment: Mapping[str, Any]) -> Safe:
    return facts("The machine", [(name.replace("_", " "), value) for name, value in environment.items()])


def _backends(backends: Sequence[Mapping[str, Any]]) -> Safe:
    infos = [from_dict(BackendInfo, each) for each in backends]
    return table(BACKEND_COLUMNS, [_backend_row(info) for info in infos])


def _backend_row(info: BackendInfo) -> list[Any]:
    version = "" if info.version is None else f" v{info.version}"
    return [
        info.name + (" (EMBEDDED)" if info.embedded else ""),
        info.address,
        info.protocol,
        f"{info.model}{version}, {info.signature}",
        info.device,
        runtime_words(info) or None,
        info.detail or info.state,
    ]


def _method(report: Mapping[str, Any]) -> Safe:
    plan = report["plan"]
    terms = {"This run": _this_run(plan), "Recommended": _goal_words(from_dict(Plan, plan)), **METHOD}
    if report.get("photo_set"):
        terms = {"This run": set_run_words(plan["seed"]) + _this_run(plan), **METHOD, **SET_METHOD}
    return Safe(
        "<dl>"
        + "".join(f"<dt>{text(term)}</dt><dd>{text(words)}</dd>" for term, words in terms.items())
        + "</dl>"
    )


def _goal_words(plan: Plan) -> str:
    """What the recommended variant of one photo had to fulfil beside limits of time and size."""
    chosen = "Of the variants that answered every request and meet the goals, this one has the fewest bytes."
    if not plan.keep_top1:
        return f"{chosen} The answer was allowed to change."
    return (
        f"{chosen} The top answer must be the original's, or the true label where one is given, and its "
        f"probability may fall by at most {margin_words(allowed_fall_points(plan))}."
    )


def _this_run(plan: Mapping[str, Any]) -> str:
    orders = {
        "auto": "backends were measured in parallel; those that share cores took turns",
        "parallel": "all backends were measured in parallel",
        "one_at_a_time": "one backend was finished before the next began",
    }
    return (
        f"Each variant went to each backend {count(plan['warmups'], 'time')} to warm up, which is never "
        f"counted, and {count(plan['repeats'], 'time')} to be measured, in random order "
        f"(seed {plan['seed']}), one request at a "
        f"time; {orders[plan['order']]}. Variants were made before, resized {_place_words(plan)}. "
        "A variant's name lists only non-default settings. The defaults: q85 for JPEG, q80 for WebP, q65 "
        "for AVIF, 4:2:0, Lanczos. "
        "Failed requests are never counted as latencies."
    )


def _place_words(plan: Mapping[str, Any]) -> str:
    """Where and with what: "with Lanczos", "in the browser by pica", or both."""
    filters = [name.capitalize() for name in plan.get("resamplers") or [plan["resampler"]]]
    engines = listed(plan.get("browser_engines") or [])
    places = {
        "server": f"with {listed(filters)}",
        "browser": f"in the browser by {engines}",
        "both": f"on the server with {listed(filters)} and in the browser by {engines}",
    }
    return places[plan.get("resize_in", "server")]
