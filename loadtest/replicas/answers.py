"""What bursts say: does it help to have more replicas or hosts? A figure for each number of requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiment.figures.frame import axis, dots, error_bars, hover_text, log_axis
from experiment.figures.palette import LIGHT
from experiment.wording import count
from loadtest.answers.answer import Answer, answer
from loadtest.replicas.cells import Cell, Place, compared, where
from loadtest.replicas.published import SOURCE, published_s

COLUMNS = (
    *("Hosts", "replicas on each", "makespan, s", "95 % from", "to", "p50, ms", "p95, ms", "images/s"),
    *("published makespan, s", "bursts", "failed requests"),
)
CLAIMED = (20, 4)  # "4 was faster than 20"
AS_IT_IS = "as it is"

Cells = Mapping[Place, Cell]


def answers_of(cells: Cells, notes: Sequence[str]) -> list[Answer]:
    """An answer for each number of requests, in ascending order."""
    sizes = sorted({place.requests for place in cells})
    return [_answer(requests, _of(cells, requests), notes) for requests in sizes]


def sentences_of(cells: Sequence[Cell]) -> list[str]:
    """Most replicas against fewest, 20 against 4 as the old benchmark did, and each further host."""
    by_place = {cell.place: cell for cell in cells}
    said = [
        sentence
        for first, second, what in _pairs(list(by_place))
        if (sentence := _sentence(by_place[first], by_place[second], what))
    ]
    failures = sum(cell.failures for cell in cells)
    if failures:
        said.append(
            f"{count(failures, 'request')} failed; bursts with a failure have no makespan and are left out."
        )
    return said


def row_of(cell: Cell) -> list[Any]:
    """A row of the table, unrounded figures to the digits they have."""
    place, makespan_s = cell.place, cell.makespan_s
    low, high = cell.interval_s or (None, None)
    return [
        *(place.hosts, AS_IT_IS if place.replicas is None else place.replicas),
        *(_rounded(makespan_s), _rounded(low), _rounded(high), _rounded(cell.p50_ms, 1)),
        *(_rounded(cell.p95_ms, 1), _rounded(cell.images_per_s(makespan_s), 2) if makespan_s else None),
        *(published_s(place.requests, place.hosts, place.replicas), len(cell.loads), cell.failures),
    ]


def _answer(requests: int, cells: Sequence[Cell], notes: Sequence[str]) -> Answer:
    fastest = min(
        (cell for cell in cells if cell.makespan_s), key=lambda cell: cell.makespan_s or 0.0, default=None
    )
    said = sentences_of(cells)
    if fastest is not None and fastest.makespan_s is not None:
        rate = fastest.images_per_s(fastest.makespan_s)
        said.append(f"The most is {rate:.1f} images/s, with {where(fastest.place)}.")
    published = [cell.place for cell in cells if published_s(requests, *_reversed(cell.place))]
    source = [f"Published: {SOURCE}. Another model and machine: compare the shapes, not the seconds."]
    return answer(
        f"burst_{requests}",
        f"{requests} requests at once: how long until all are answered?",
        " ".join(said) or "No burst was answered as a whole.",
        COLUMNS,
        list(map(row_of, cells)),
        _lines(requests, cells),
        _layout(requests, cells),
        notes=[*notes, *(source if published else ())],
        facts={"requests": requests},
    )


def _reversed(place: Place) -> tuple[int, int | None]:
    return place.hosts, place.replicas


def _of(cells: Cells, requests: int) -> list[Cell]:
    own = [cell for place, cell in cells.items() if place.requests == requests]
    return sorted(own, key=lambda cell: (cell.place.hosts, cell.place.replicas or 0))


def _pairs(places: Sequence[Place]) -> Iterator[tuple[Place, Place, str]]:
    """Places to compare: the first against the second, and what differs."""
    for hosts in sorted({place.hosts for place in places}):
        own = sorted(
            (place for place in places if place.hosts == hosts), key=lambda place: place.replicas or 0
        )
        numbers = [place.replicas for place in own]
        wanted = [(numbers[-1], numbers[0])] if len(numbers) > 1 else []
        wanted += [CLAIMED] if set(CLAIMED) <= set(numbers) and CLAIMED not in wanted else []
        for more, fewer in wanted:
            yield own[numbers.index(more)], own[numbers.index(fewer)], "replicas"
    for place in places:
        if place.hosts > 1:
            fewer_hosts = place._replace(hosts=1)
            if fewer_hosts in places:
                yield place, fewer_hosts, "hosts"


def _sentence(first: Cell, second: Cell, what: str) -> str | None:
    ratio = compared(first, second)
    if ratio is None:
        return None
    words = f"{ratio.value:.2f} times as long (95 %: {ratio.low:.2f} to {ratio.high:.2f})"
    place, other = first.place, second.place
    if what == "hosts":
        more, fewer = count(place.hosts, "host"), str(other.hosts)
        more += "" if place.replicas is None else f" with {count(place.replicas, 'replica')} each"
    else:
        where = "one host" if place.hosts == 1 else f"each of {place.hosts} hosts"
        more, fewer = f"{count(place.replicas or 0, 'replica')} on {where}", str(other.replicas)
    if ratio.low > 1:
        return f"{more} are slower than {fewer}: {words}."
    if ratio.high < 1:
        return f"{more} are faster than {fewer}: {words}."
    return f"{more} against {fewer}: no difference we can detect, {words}."


def _lines(requests: int, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    lines = []
    for at, hosts in enumerate(sorted({cell.place.hosts for cell in cells})):
        own = [cell for cell in cells if cell.place.hosts == hosts and cell.makespan_s]
        name, colour = count(hosts, "host"), LIGHT.backends[at % len(LIGHT.backends)]
        if own:
            lines.append(_measured(own, f"measured, {name}", colour))
        known = [(cell, published_s(requests, hosts, cell.place.replicas)) for cell in cells]
        known = [(cell, seconds) for cell, seconds in known if seconds and cell.place.hosts == hosts]
        if known:
            label = f"published, {name}"
            lines.append(
                dots(
                    [_label(cell) for cell, _ in known],
                    [seconds for _, seconds in known],
                    [hover_text(label, f"{seconds} s") for _, seconds in known],
                    name=label,
                    mode="lines+markers",
                    marker={"color": LIGHT.muted, "symbol": "square-open", "size": 8},
                    line={"color": LIGHT.muted, "dash": "dot"},
                )
            )
    return lines


def _measured(cells: Sequence[Cell], name: str, colour: str) -> dict[str, Any]:
    seconds = [cell.makespan_s or 0.0 for cell in cells]
    ends = [cell.interval_s or (value, value) for cell, value in zip(cells, seconds, strict=True)]
    up = [high - value for (_, high), value in zip(ends, seconds, strict=True)]
    down = [value - low for (low, _), value in zip(ends, seconds, strict=True)]
    return dots(
        [_label(cell) for cell in cells],
        seconds,
        [hover_text(f"{name}, {where(cell.place)}", f"{cell.makespan_s:.3f} s") for cell in cells],
        name=name,
        mode="lines+markers",
        marker={"color": colour, "size": 8},
        line={"color": colour},
        error_y=error_bars(up, down, colour),
    )


def _label(cell: Cell) -> str:
    return AS_IT_IS if cell.place.replicas is None else str(cell.place.replicas)


def _layout(requests: int, cells: Sequence[Cell]) -> dict[str, Any]:
    seconds = [cell.makespan_s for cell in cells if cell.makespan_s]
    seconds += [end for cell in cells for end in cell.interval_s or ()]
    seconds += [value for cell in cells if (value := published_s(requests, *_reversed(cell.place)))]
    labels = list(dict.fromkeys(map(_label, cells)))
    x = axis(LIGHT, "Replicas on each host", type="category", categoryarray=labels)
    return {"xaxis": x, "yaxis": log_axis(LIGHT, "Until all are answered, s", seconds or [1.0])}


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
