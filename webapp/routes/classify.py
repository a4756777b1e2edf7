"""POST /api/classify: one answer to one photo. Nothing is measured and nothing is stored."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from experiment.decide.other_goals import with_goals
from experiment.errors import PlanRefused
from experiment.measure.one_answer import Preparation, preparation, recommended, usual_backend
from experiment.records import BackendInfo
from httpserver.problems import Refused
from webapp.backends import NONE_CONFIGURED
from webapp.routes.downloads import GOALS, goals_in
from webapp.services import services

OWN: Final = ("size", "format", "quality")
# Goals judge the run, as for its report.
OPTIONS: Final = ("backend", *OWN, "run", *GOALS, "keep_top1", "copies", "uplink")

routes = Blueprint("classify", __name__, url_prefix="/api")


@routes.post("/classify")
def classify() -> ResponseReturnValue:
    """The top labels of the photo in the form or the body, prepared as asked or as a run recommends."""
    app = services()
    app.runs.single_requests.refuse_while_measuring()  # before the photo arrives: that would disturb too
    with app.uploads.photo_or_body(request, frozenset(OPTIONS)) as submission:
        asked = _asked()
        wanted, name = _wanted(asked)
        found = app.runs.classify(submission, wanted, _backend(asked.get("backend", name), asked.get("run")))
    return jsonify({**found, "run_id": asked.get("run")})


def _asked() -> dict[str, str]:
    """The options in query and form. Raises Refused for an unknown, an empty or a repeated one."""
    if as_files := sorted(set(request.files) & set(OPTIONS)):
        raise Refused("bad_part", f"Sent as a file, but must be text: {', '.join(as_files)}.", 422)
    sent = [*request.args.items(multi=True), *request.form.items(multi=True)]
    unknown = sorted({key for key, _ in sent} - set(OPTIONS))
    if unknown:
        raise Refused("bad_query", f"Unknown: {', '.join(unknown)}. Known: {', '.join(OPTIONS)}.", 422)
    if not all(text.isprintable() for _, text in sent):
        raise Refused("bad_query", "An option has characters that are not text.", 422)
    asked = {key: text.strip() for key, text in sent}
    # "run=$RUN" of a script in which RUN is not set would else send the photo as it is.
    if empty := [key for key, text in asked.items() if not text]:
        raise Refused("bad_query", f"Empty: {', '.join(empty)}. Give it a value, or leave it out.", 422)
    if len(asked) < len(sent):
        raise Refused("bad_query", "An option was sent twice. Send each once.", 422)
    return asked


def _wanted(asked: dict[str, str]) -> tuple[Preparation, str]:
    """How to prepare the photo, and the backend's name; empty: any."""
    own = [key for key in OWN if key in asked]
    if "run" not in asked:
        if judging := [key for key in asked if key not in (*OWN, "backend")]:
            raise Refused("bad_query", f"{', '.join(judging)} needs run=, whose results it judges.", 422)
        size, quality = _number(asked.get("size")), _number(asked.get("quality"))
        return preparation(size, asked.get("format"), quality), ""
    if own:
        why = f"run= says how to prepare the photo: leave out {', '.join(own)}."
        raise Refused("bad_query", why, 422)
    if services().store.run(asked["run"]).is_live:
        raise Refused(
            "run_is_live", "This run is still in progress. Wait until it ends, or stop it.", 409, 10
        )
    try:
        goals = goals_in(asked)
    except PlanRefused as problem:
        raise Refused("bad_query", str(problem), 422) from None
    return recommended(with_goals(services().reports.report(asked["run"]), goals))


def _number(text: str | None) -> Any:
    """A whole number if it is one, else the text, which is refused with its rule."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 10 else text


def _backend(name: str, run_id: str | None) -> BackendInfo:
    """The backend of that name, also one that was added for the run; without a name, the first that is ready,
    or may be. Raises Refused."""
    app = services()
    of_run = app.store.run(run_id).backends if run_id else ()
    rows = [row for row in of_run if row["name"] == name]
    backends = app.added.beside(app.registry.backends(), rows, request.remote_addr or "")
    if not backends:
        raise Refused("no_backends", NONE_CONFIGURED, 503)
    found = next((info for info in backends if info.name == name), None) if name else usual_backend(backends)
    if found is None:
        names = ", ".join(info.name for info in backends)
        raise Refused("no_such_backend", f"No backend is named {name}. Backends: {names}.", 422)
    if not found.takes_photos:
        raise Refused("not_for_photos", f"{found.name} can't classify photos: {found.detail}", 422)
    return found
