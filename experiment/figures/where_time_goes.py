"""Where the time goes, stage by stage: making the copy, uploading it, and on the server.

A bar is as long as the time by which the recommendation chooses: making and uploading are parts of it only
where the plan says that copies are made for each request, or by the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from experiment.figures.frame import (
    Figure,
    axis,
    base_layout,
    empty_figure,
    escaped,
    figure,
    hover_text,
    words_at,
)
from experiment.figures.palette import Palette
from experiment.figures.view import Point, View, missing_note
from experiment.records import Copies
from experiment.wording import (
    capitalised,
    count,
    joined,
    made_as,
    milliseconds,
    percent,
    reference_name,
    short_name,
)

TITLE = "Where the time goes"
EMPTY_HEIGHT_PX = 320
ALTERNATIVES = 2  # to what is recommended, where bars are few
BAR_PX, GAP_PX, ABOVE_PX, BELOW_PX = 22, 36, 28, 56
THICKEST_BAR_PX = 40
PATCH_PX = 30  # of colour in the legend; plotly allows no less
LEAST_BARS_PX = 140  # together: on a phone the legend takes some of it


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a bar."""

    key: str
    name: str  # in the legend
    taking: str  # "92 % of the time is ..."
    group: str  # which colour of the palette
    pattern: str  # Plotly's pattern shape; "" is solid


STAGES = (
    Stage("made_decode", "decode photo", "decoding the photo", "preparing", ""),
    Stage("made_resize", "resize", "resizing", "preparing", "/"),
    Stage("made_encode", "encode", "encoding", "preparing", "x"),
    Stage("upload", "upload (modelled)", "uploading (modelled)", "sending", "/"),
    Stage("request", "whole request", "the request", "sending", ""),
    Stage("decode_request", "send and decode (measured apart)", "sending and decoding", "sending", "/"),
    Stage("rest", "rest of the request: model", "the model, with all else but decoding", "serving", "|"),
    Stage("wire", "network", "network and overhead", "sending", "."),
    Stage("queue_wait", "queue wait", "waiting in the queue", "sending", "x"),
    Stage("batch_wait", "batch wait", "reading the batch at the worker", "sending", "|"),
    Stage("service", "service", "the worker's request to the model", "serving", "\\"),
    Stage("to_model", "service: to the model", "the way from the worker to the model", "sending", "-"),
    Stage("queue", "server: wait", "waiting at the server", "serving", "x"),
    Stage("decode", "server: decode", "decoding on the server", "serving", "/"),
    Stage("inference", "server: model", "the model itself", "serving", ""),
    Stage("other", "server: other", "other work on the server", "serving", "."),
)
CAPTIONS: dict[Copies, str] = {
    "in_advance": "One request. Copies are made in advance, so making them is in no bar.",
    "per_request": "Brown: making the copy. Blue and grey: one request. The original needs no making.",
    "client": "Brown: making the copy, with the times measured here. Grey: uploading at {} Mbit/s (modelled) "
    "and the way to the server. Blue: on the server.",
}
OF_QUEUES = frozenset({"queue_wait", "batch_wait", "service", "to_model"})


def where_time_goes(view: View, palette: Palette) -> Figure:
    """One panel for each backend, one bar for each variant, one part for each stage. All in ms."""
    view = view.timed().uncrowded(by_engine=True)
    few = [point for point in view.points if point.is_few]
    view = replace(view, points=tuple(point for point in view.points if not point.is_few))
    if not view.points:
        return empty_figure(palette, TITLE, _columns(_stages([])), EMPTY_HEIGHT_PX)
    panels = _panels(view)
    data: list[dict[str, Any]] = []
    for number, points in enumerate(panels, start=1):
        used = {key for point in points for key in stages_of(point)}
        data += [_bars(stage, points, number, data, palette) for stage in STAGES if stage.key in used]
    data += [_totals(points, number, palette) for number, points in enumerate(panels, start=1)]
    stages = _stages(view.points)
    rows = [_row(point, stages) for points in panels for point in points]
    return figure(data, _layout(panels, palette), TITLE, _caption(view, few), _columns(stages), rows)


def where_time_goes_shortly(view: View, palette: Palette) -> Figure:
    """The same with the bars that a decision needs: the original, the recommended copy, two alternatives."""
    keys = _needed(view)
    points = tuple(point for point in view.points if point.variant.is_reference or point.variant.id in keys)
    made = where_time_goes(replace(view, points=points), palette)
    copies = {point.variant.id for point in view.points if not point.variant.is_reference}
    if len(keys) < len(copies):
        made["meta"]["caption"] += f" Shown are {len(keys)} of {len(copies)} copies."
    return made


def _needed(view: View) -> Set[str]:
    """Ids of the recommended variant, and of the quickest others, those with a changed answer last."""
    best = view.recommended()
    others = [
        point
        for point in view.timed().points
        if not point.variant.is_reference
        and not point.is_few
        and (best is None or point.backend.name == best.backend.name)
    ]
    ids = ([best.variant.id] if best and not best.variant.is_reference else []) + [
        point.variant.id
        for point in sorted(others, key=lambda point: (point.is_kept is False, point.shown_ms))
    ]
    return set(list(dict.fromkeys(ids))[: ALTERNATIVES + 1])


def _stages(points: Sequence[Point]) -> list[Stage]:
    """Those of the table: without those of queues if no queue was measured."""
    has_queue = any(OF_QUEUES & stages_of(point).keys() for point in points)
    return [stage for stage in STAGES if has_queue or stage.key not in OF_QUEUES]


def _columns(stages: Sequence[Stage]) -> tuple[str, ...]:
    return ("Backend", "Variant", *(f"{stage.name}, ms" for stage in stages), "Total, ms")


def stages_of(point: Point) -> dict[str, float]:
    """Milliseconds by stage key, for the stages that are known. Their sum is the bar.

    What the latency holds beyond the server's own stages is network and overhead, of a queue also Redis.
    Where the server reports none, but decoding was measured separately, the rest of the latency is the
    model's and the answer's. Where that took as long as all of it (the pixels came back), nothing is split.
    """
    variant, server_ms, decoding_ms = point.variant, point.cell.server_ms, point.cell.decode_request_ms
    found: dict[str, float | None] = {}
    if point.extra.making_ms:
        found = {
            "made_decode": variant.decode_ms,
            "made_resize": variant.resize_ms,
            "made_encode": variant.encode_ms,
        }
    if point.extra.upload_ms:
        found["upload"] = point.extra.upload_ms
    if "service" in server_ms:
        found |= _through_a_queue(server_ms, point.p50_ms)
    elif server_ms:
        found |= _on_the_server(server_ms) | {"wire": max(point.p50_ms - sum(server_ms.values()), 0.0)}
    elif decoding_ms is not None and decoding_ms < point.p50_ms:
        found |= {"decode_request": decoding_ms, "rest": point.p50_ms - decoding_ms}
    else:
        found["request"] = point.p50_ms
    return {key: round(value_ms, 3) for key, value_ms in found.items() if value_ms is not None}


def _on_the_server(server_ms: Mapping[str, float]) -> dict[str, float | None]:
    """The model server's own stages."""
    known = {stage: server_ms[stage] for stage in ("queue", "decode", "inference") if stage in server_ms}
    other = sum(server_ms.values()) - sum(known.values())
    return {**known, "other": other or None}


def _through_a_queue(server_ms: Mapping[str, float], p50_ms: float) -> dict[str, float | None]:
    """The worker's request to the model, `service`, holds the model server's own stages. If they are known,
    the rest of it is the way there and back."""
    of_queue = {stage: server_ms.get(stage, 0.0) for stage in ("queue_wait", "batch_wait")}
    own = {name: value for name, value in server_ms.items() if name not in {*of_queue, "service"}}
    service_ms = max(server_ms["service"], sum(own.values()))
    inside = (
        {**_on_the_server(own), "to_model": service_ms - sum(own.values())}
        if own
        else {"service": service_ms}
    )
    return {**of_queue, **inside, "wire": max(p50_ms - sum(of_queue.values()) - service_ms, 0.0)}


def _panels(view: View) -> list[list[Point]]:
    """Points by backend; within one the original first, then the largest."""
    panels: dict[str, list[Point]] = {}
    for point in view.points:
        panels.setdefault(point.backend.name, []).append(point)
    for points in panels.values():
        points.sort(
            key=lambda point: (not point.variant.is_reference, -point.variant.size_px, point.variant.id)
        )
    return list(panels.values())


def _bar_name(point: Point) -> str:
    variant = point.variant
    return reference_name(variant) if variant.is_reference else f"{variant.size_px} {made_as(variant)}"


def _bars(
    stage: Stage, points: Sequence[Point], panel: int, earlier: Sequence[dict[str, Any]], palette: Palette
) -> dict[str, Any]:
    values = [stages_of(point).get(stage.key) for point in points]
    return {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": [_bar_name(point) for point in points],
        **_axes(panel),
        "name": stage.name,
        "legendgroup": stage.key,
        "showlegend": all(trace["legendgroup"] != stage.key for trace in earlier),
        "legendrank": 1 + STAGES.index(stage),
        "marker": _look(stage, palette),
        "hovertext": [_hover(stage, point, value) for point, value in zip(points, values, strict=True)],
        "hoverinfo": "text",
    }


def _axes(panel: int) -> dict[str, str]:
    return {"xaxis": "x", "yaxis": "y" if panel == 1 else f"y{panel}"}


def _look(stage: Stage, palette: Palette) -> dict[str, Any]:
    """One colour for each of making, sending and serving; the pattern distinguishes stages."""
    own = getattr(palette, stage.group)
    look: dict[str, Any] = {"color": own, "line": {"color": own, "width": 1}}
    if stage.pattern:
        look["pattern"] = {
            "shape": stage.pattern,
            "fillmode": "replace",
            "fgcolor": own,
            "bgcolor": palette.paper,
            "size": 6,
            "solidity": 0.35,
        }
    return look


def _hover(stage: Stage, point: Point, value_ms: float | None) -> str:
    if value_ms is None:
        return ""
    total_ms = sum(stages_of(point).values())
    share = f" ({percent(value_ms / total_ms)} of {milliseconds(total_ms)})" if total_ms else ""
    name = short_name(point.variant)
    return hover_text(
        f"{capitalised(name)} on {point.backend.name}",
        f"{stage.name}: {milliseconds(value_ms)}{share}",
        "all steps down from the original" if stage.key == "made_resize" else "",
        f"p50 latency {milliseconds(point.p50_ms)}",
    )


def _totals(points: Sequence[Point], panel: int, palette: Palette) -> dict[str, Any]:
    """The length of each bar in words, at its end."""
    totals = [_total_ms(point) for point in points]
    names, words = [_bar_name(point) for point in points], [milliseconds(total) for total in totals]
    ends = words_at(totals, names, words, palette)
    return ends | _axes(panel) | {"showlegend": False, "legendgroup": "total"}


def _total_ms(point: Point) -> float:
    return round(sum(stages_of(point).values()), 3)


def _layout(panels: Sequence[Sequence[Point]], palette: Palette) -> dict[str, Any]:
    """Panels one below the other over one common time axis, so that backends can be compared."""
    bars = sum(len(points) for points in panels)
    bar_px = min(max(BAR_PX, LEAST_BARS_PX / bars), THICKEST_BAR_PX)
    inner_px = round(bars * bar_px + len(panels) * GAP_PX)
    longest_ms = max(sum(stages_of(point).values()) for points in panels for point in points)
    layout = base_layout(palette, inner_px + ABOVE_PX + BELOW_PX)
    layout |= {
        "barmode": "stack",
        "bargap": 0.28,
        "margin": {"l": 80, "r": 12, "t": ABOVE_PX, "b": BELOW_PX},
        "xaxis": axis(palette, "Time, ms", range=[0, longest_ms * 1.27 or 1.0], anchor="free", position=0),
        "annotations": [],
        "legend": layout["legend"] | {"tracegroupgap": 0, "itemwidth": PATCH_PX},
    }
    top_px: float = inner_px - GAP_PX
    for number, points in enumerate(panels, start=1):
        bottom_px = top_px - len(points) * bar_px
        domain = [max(bottom_px / inner_px, 0.0), top_px / inner_px]
        layout["yaxis" if number == 1 else f"yaxis{number}"] = axis(
            palette, "", domain=domain, type="category", autorange="reversed", ticks="", showgrid=False
        )
        layout["annotations"].append(_heading(points[0].backend.name, domain[1], palette))
        top_px = bottom_px - GAP_PX
    return layout


def _heading(name: str, top: float, palette: Palette) -> dict[str, Any]:
    return {
        "text": escaped(name),
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": top,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"size": 13, "color": palette.ink, "weight": "bold"},
    }


def _row(point: Point, stages: Sequence[Stage]) -> list[Any]:
    values = [stages_of(point).get(stage.key) for stage in stages]
    return [point.backend.name, _bar_name(point), *values, _total_ms(point)]


def _caption(view: View, few: Sequence[Point]) -> str:
    is_resized = any("made_resize" in stages_of(point) for point in view.points)
    return joined(
        _largest_part(view),
        CAPTIONS[view.plan.copies].format(f"{view.plan.uplink_mbit_s:,g}"),
        "Copies are resized in steps, each from a larger copy, so a smaller one that takes other steps may "
        "be quicker to make than a larger one."
        if is_resized
        else "",
        _few_words({point.variant.id for point in few}),
        missing_note(view),
    )


def _few_words(ids: Set[str]) -> str:
    """Which bars would say less than the others look like."""
    if not ids:
        return ""
    are = "is" if len(ids) == 1 else "are"
    return f"{count(len(ids), 'variant')} with under a quarter of the photos {are} left out."


def _largest_part(view: View) -> str:
    """What the recommended bar, else the longest one of a smaller copy, is made of."""
    copies = [point for point in view.points if not point.variant.is_reference] or list(view.points)
    point = view.recommended() or max(copies, key=_total_ms)
    stages = stages_of(point)
    largest = max(STAGES, key=lambda stage: stages.get(stage.key, -1.0))
    share = percent(stages[largest.key] / (sum(stages.values()) or 1.0))
    return (
        f"For {short_name(point.variant)} on {point.backend.name}, {share} of the time is {largest.taking}."
    )
