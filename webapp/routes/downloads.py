"""/api/runs/<id> in every form: JSON, CSV, HTML, figures, and the variants exactly as sent.

All but the ZIP may be judged by other goals than the run's own: see goals_in().
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import RawIOBase
from pathlib import PurePath
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from experiment import __version__
from experiment.decide.other_goals import with_goals
from experiment.decide.uplinks import uplink_of
from experiment.errors import PlanRefused
from experiment.export.pictures import with_pictures
from experiment.export.report_csv import load_csv, report_csv
from experiment.export.report_html import report_html
from experiment.figures import LATENCIES, figures
from experiment.images.formats import FORMATS
from experiment.images.thumbs import fitted
from experiment.measure.plan import parse_plan
from httpserver.problems import Refused
from webapp.routes.imports import refuse_if_imported
from webapp.services import services
from webapp.store.store import Store

THEMES: Final[dict[str, Literal["light", "dark"]]] = {"light": "light", "dark": "dark"}
BARS: Final[dict[str, Literal["all", "few"]]] = {"all": "all", "few": "few"}
OVER: Final[dict[str, Literal["latency", "bytes"]]] = {"latency": "latency", "bytes": "bytes"}
NO_GOAL: Final = "no such goal"
GOALS: Final = {"max_p50_ms": NO_GOAL, "max_size_bytes": NO_GOAL, "margin_points": "the usual one"}
Chosen = TypeVar("Chosen")

routes = Blueprint("downloads", __name__, url_prefix="/api/runs")


@routes.get("/<run_id>")
def report(run_id: str) -> ResponseReturnValue:
    """The report as JSON; while the run goes on, the report so far."""
    return _rendered(run_id, _json, "application/json", "")


@routes.get("/<run_id>.json")
def report_as_json(run_id: str) -> ResponseReturnValue:
    """The same, to be saved."""
    return _rendered(run_id, _json, "application/json", "json", pictures=True)


@routes.get("/<run_id>.csv")
def report_as_csv(run_id: str) -> ResponseReturnValue:
    """One line per cell."""
    return _rendered(run_id, report_csv, "text/csv; charset=utf-8", "csv")


@routes.get("/<run_id>/load.csv")
def load_as_csv(run_id: str) -> ResponseReturnValue:
    """One line per rate that was offered under load."""
    return _rendered(run_id, load_csv, "text/csv; charset=utf-8", "load.csv")


@routes.get("/<run_id>.html")
def report_as_html(run_id: str) -> ResponseReturnValue:
    """A page that needs no network. Sent as a download: shown here, our own CSP would stop its scripts."""
    return _rendered(run_id, report_html, "text/html; charset=utf-8", "html", pictures=True)


@routes.get("/<run_id>/figures")
def report_figures(run_id: str) -> ResponseReturnValue:
    """Every plot as a Plotly figure: `?theme=dark`, `?x=bytes` of the trade-off, `?y=p90`, `?bars=few`."""
    over = _chosen("x", OVER)
    latency = _chosen("y", {name: name for name in LATENCIES})
    made = with_goals(services().reports.report(run_id), goals_asked())
    return jsonify(figures(made, theme=theme_asked(), latency=latency, over=over, bars=_chosen("bars", BARS)))


def goals_asked() -> dict[str, Any]:
    """Other goals than the run's own, from the request's query. Raises Refused."""
    try:
        return goals_in(request.args)
    except PlanRefused as problem:
        raise Refused("bad_query", str(problem)) from None


def goals_in(query: Mapping[str, str]) -> dict[str, Any]:
    """The goals in a query, as a plan has them: `max_p50_ms=20` or `=none`; `keep_top1=false`.

    `margin_points=none` is the usual margin: no margin at all would be 100. `copies=client` says where copies
    are made, `uplink=` over which bandwidth (a key of UPLINKS or Mbit/s). Raises PlanRefused, UplinkRefused.
    """
    asked: dict[str, Any] = {key: _number(key, query[key]) for key in GOALS if query.get(key)}
    if copies := query.get("copies"):
        asked["copies"] = copies
    if uplink := query.get("uplink"):
        asked["uplink_mbit_s"] = uplink_of(uplink).mbit_s
    if keep := query.get("keep_top1"):
        if keep not in {"true", "false"}:
            raise PlanRefused(["keep_top1 must be true or false."])
        asked["keep_top1"] = keep == "true"
    checked = parse_plan({key: value for key, value in asked.items() if value is not None})
    return {key: getattr(checked, key) for key in asked}


def _number(key: str, text: str) -> float | None:
    if text == "none":
        return None
    try:
        number = float(text)
    except ValueError:
        raise PlanRefused([f"{key} must be a number, or none for {GOALS[key]}."]) from None
    return int(number) if number.is_integer() else number  # bytes are counted


def theme_asked() -> Literal["light", "dark"]:
    """The `theme` of the query, light by default."""
    return _chosen("theme", THEMES)


def _chosen(name: str, offered: Mapping[str, Chosen]) -> Chosen:
    """The choice that the query names, by default the first. Raises Refused for any other."""
    wanted = request.args.get(name) or next(iter(offered))
    if wanted not in offered:
        raise Refused("bad_query", f"{name} must be {' or '.join(offered)}.")
    return offered[wanted]


@routes.get("/<run_id>/variants/<variant_id>")
def variant_bytes(run_id: str, variant_id: str) -> ResponseReturnValue:
    """One variant, exactly as it was sent."""
    row = variant_row(services().reports.report(run_id), variant_id)
    content = services().store.blob(run_id, variant_id)
    if content is None:
        raise Refused("no_such_variant", f"The bytes of {variant_id} are not kept.", 404)
    key = row["format"]  # one of FORMATS, or another one if the reference is sent as uploaded
    media_type = FORMATS[key].media_type if key in FORMATS else f"image/{key}"
    response = Response(content, mimetype=media_type)
    response.content_length = row["size_bytes"]
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.set_etag(row["sha256"])
    return response.make_conditional(request)


def variant_row(report: Mapping[str, Any], variant_id: str) -> Mapping[str, Any]:
    """One variant of a report. Raises Refused unless it has it."""
    found: list[Mapping[str, Any]] = [row for row in report["variants"] if row["id"] == variant_id]
    if found:
        return found[0]
    why = f"Run {report['run_id']} has no variant {variant_id}, or has not made it yet."
    raise Refused("no_such_variant", why, 404)


@routes.get("/<run_id>/answers.csv")
def answers_as_csv(run_id: str) -> ResponseReturnValue:
    """Every answer to every photo of a set."""
    made = services().reports.report(run_id)
    refuse_if_imported(made)
    if not made["photo_set"]:
        raise Refused("not_a_set", f"Run {run_id} is about one photo. Its answers are in the report.", 404)
    response = Response(services().reports.answers(run_id), content_type="text/csv; charset=utf-8")
    return _saved_as(response, made, "answers.csv")


@routes.get("/<run_id>.zip")
def variants_as_zip(run_id: str) -> ResponseReturnValue:
    """The report, and every variant exactly as sent; for a photo set, the report and every answer."""
    made = services().reports.report(run_id)
    refuse_if_imported(made)
    app = services()
    files: Iterable[tuple[str, Iterable[bytes]]] = _variant_files(app.store, made)
    if made["photo_set"]:
        files = [("answers.csv", (piece.encode() for piece in app.reports.answers(run_id)))]
    response = Response(_zipped(_with_pictures(made), files), mimetype="application/zip")
    return _saved_as(response, made, "zip")


def _rendered(
    run_id: str,
    render: Callable[[dict[str, Any]], str],
    content_type: str,
    extension: str,
    *,
    pictures: bool = False,
) -> Response:
    app = services()
    goals = goals_asked()
    judged_by = "".join(f"-{key}={value}" for key, value in sorted(goals.items()))
    etag = f"{app.reports.stamp(app.store.run(run_id))}{judged_by}-{__version__}"
    if request.if_none_match.contains_weak(etag):
        return Response(status=304, headers={"ETag": f'"{etag}"', "Cache-Control": "private, no-cache"})
    made = with_goals(app.reports.report(run_id), goals)
    made = _with_pictures(made) if pictures else made
    response = Response(render(made), content_type=content_type)
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Link"] = f'<{url_for("options.schema")}>; rel="describedby"'
    return _saved_as(response, made, extension) if extension else response


def _with_pictures(made: Mapping[str, Any]) -> dict[str, Any]:
    """The report as files have it: with its pictures, all together a few hundred kB at most."""
    return with_pictures(made, fitted(services().store.thumbs.all(made["run_id"])))


def _saved_as(response: Response, made: dict[str, Any], extension: str) -> Response:
    stem = "".join(char for char in PurePath(made["source"]["name"]).stem if char.isprintable())
    name = f"pixelcost-{stem}-{made['run_id']}.{extension}"
    plain = name.encode("ascii", "replace").decode().replace("?", "_")  # for clients without RFC 5987
    encoded = {"filename*": f"UTF-8''{quote(name, safe='')}"} if plain != name else {}
    response.headers.set("Content-Disposition", "attachment", filename=plain, **encoded)
    return response


def _json(made: dict[str, Any]) -> str:
    return json.dumps(made, ensure_ascii=False, allow_nan=False)


class _Outlet(RawIOBase):
    """A file that the ZIP writer writes to, emptied after every write: nothing is held as a whole."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _zipped(made: dict[str, Any], files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A ZIP file of the report and `files`, made while it is sent."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w") as archive:
        archive.writestr("report.json", _json(made), zipfile.ZIP_DEFLATED)
        yield outlet.take()
        for name, content in files:
            with archive.open(zipfile.ZipInfo(name), "w") as entry:
                for part in content:
                    entry.write(part)
                    yield outlet.take()
    yield outlet.take()


def _variant_files(store: Store, made: dict[str, Any]) -> Iterator[tuple[str, Iterable[bytes]]]:
    for variant in made["variants"]:
        key = variant["format"]
        extension = FORMATS[key].extension if key in FORMATS else key
        yield f"{variant['id']}.{extension}", store.blob(made["run_id"], variant["id"]) or ()
