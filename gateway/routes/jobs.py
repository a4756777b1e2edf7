"""Jobs: submit, look or wait, follow, forget; and how full the queue is."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from flask import Response, jsonify, request, stream_with_context
from flask.typing import ResponseReturnValue

from common.checks import number_above, number_text
from experiment.errors import PixelcostError
from experiment.queue.connection import QueueUnavailable
from experiment.queue.records import Job, NewJob
from gateway import problems
from gateway.http.asked import one, options, seconds_to_wait
from gateway.http.job_ids import in_path
from gateway.http.job_json import events, job_json
from gateway.limits.receive import Photo
from gateway.routes.schemas import JOB_ANSWER, LINE, PHOTO_BODY, WAIT, record, ref
from gateway.services import services
from gateway.table import Answer, Parameter, Route
from httpserver.client_socket import hung_up
from httpserver.problems import Refused

LONGEST_DEADLINE_S: Final = 7 * 86_400.0
HEARTBEAT_S: Final = 15.0
LOOK_S: Final = 1.0  # how soon a stream notices that a worker has begun
RETRY_MS: Final = 1000

_deadline = number_text(number_above(0, LONGEST_DEADLINE_S, "a number of seconds"))


def submit() -> ResponseReturnValue:
    """Put each photo of the request into the queue."""
    app = services()
    with app.receiver.photos(request) as photos:
        asked = options(request, ("id", "deadline_s"))
        ids = _ids(asked.get("id", []), len(photos))
        deadline_s = one(asked, "deadline_s", _deadline, None)
        app.bucket.take()
        if len(photos) == 1:
            status, job = _submitted(photos[0], ids[0], deadline_s)
            return jsonify(job), status, {"Location": job["location"]}
        outcomes = [_outcome(photo, job_id, deadline_s) for photo, job_id in zip(photos, ids, strict=True)]
    is_all = all("job" in outcome for outcome in outcomes)
    return jsonify(jobs=outcomes), 202 if is_all else 207


def look(job_id: str) -> ResponseReturnValue:
    """The job now, or when it has ended."""
    app = services()
    wait_s = one(options(request, ("wait",)), "wait", seconds_to_wait, 0.0)
    if wait_s > 0:
        with app.waiting.one():
            job = app.queue.wait(job_id, min(wait_s, app.settings.max_wait_s), _is_gone())
    else:
        job = app.queue.job(job_id)
    return jsonify(job_json(_found(job), location(job_id)))


def follow(job_id: str) -> ResponseReturnValue:
    """The job's events, from the one after Last-Event-ID on. 204 if the client has all of them."""
    app = services()
    asked = options(request, ("last_event_id",))
    seen = request.headers.get("Last-Event-ID") or asked.get("last_event_id", [""])[0]
    after = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0
    job = _found(app.queue.job(job_id))
    if job.has_ended and not [event for event in events(job, "") if event.number > after]:
        return Response(status=204)
    app.waiting.take()
    stream = Response(stream_with_context(_frames(job, after)), mimetype="text/event-stream")
    stream.call_on_close(app.waiting.give_back)
    stream.headers["X-Accel-Buffering"] = "no"  # nginx would keep the events until the end
    return stream


def forget(job_id: str) -> ResponseReturnValue:
    """Remove the result of a job that has ended."""
    app = services()
    options(request, ())
    if app.queue.forget(job_id):
        return Response(status=204)
    job = _found(app.queue.job(job_id))
    why = "It waits or runs, and can't be cancelled. Delete it when it has ended, or let its result expire."
    raise Refused("job_is_open", f"The job is {job.state}. {why}", 409, 5)


def depth() -> ResponseReturnValue:
    """How full the queue is."""
    options(request, ())
    return jsonify(asdict(services().queue.depth()))


def location(job_id: str) -> str:
    """The address of a job."""
    return f"{request.script_root}/jobs/{in_path(job_id)}"


def _ids(given: Sequence[str], count: int) -> list[str]:
    """An id for each photo: as sent, made from the Idempotency-Key, or new."""
    key = request.headers.get("Idempotency-Key", "").strip().strip('"')
    if given and key:
        raise Refused("bad_id", "Send id or the header Idempotency-Key, not both.", 422)
    if given and len(given) != count:
        why = f"There are {count} photos and {len(given)} ids. Send an id for each photo, in the same order."
        raise Refused("bad_id", why, 422)
    if key and not key.isascii():
        raise Refused("bad_id", "A header can't hold this key. Send it as id in the query or form.", 422)
    if key:
        return [key] if count == 1 else [f"{key}:{number}" for number in range(count)]
    return list(given) or [uuid.uuid4().hex for _ in range(count)]


def _submitted(photo: Photo, job_id: str, deadline_s: float | None) -> tuple[int, dict[str, Any]]:
    """202 if the job is new, 200 if it was known, and the job. Raises PixelcostError."""
    if job_id in {".", ".."}:
        raise Refused("bad_id", f"{job_id} can't stand in an address. Choose another id.", 422)
    queue = services().queue
    with services().receiver.content(photo) as (data, _):
        is_new = queue.submit(NewJob(job_id, data, deadline_s=deadline_s))
    job = queue.job(job_id) or Job(job_id, "queued")  # its result may have been deleted meanwhile
    return 202 if is_new else 200, job_json(job, location(job_id))


def _outcome(photo: Photo, job_id: str, deadline_s: float | None) -> dict[str, Any]:
    try:
        status, job = _submitted(photo, job_id, deadline_s)
    except PixelcostError as error:
        seconds = problems.retry_after_s(error)
        again = {} if seconds is None else {"retry_after_s": seconds}
        return {"status": error.http_status, "problem": problems.members(error), **again}
    return {"status": status, "job": job}


def _found(job: Job | None) -> Job:
    if job is None:
        why = "It was never submitted to this queue, or its result has expired or was deleted."
        raise Refused("no_such_job", f"There is no job with this id. {why}", 404)
    return job


def _frames(job: Job | None, after: int) -> Iterator[str]:
    """Events as they are sent, until the last one."""
    app, is_gone = services(), _is_gone()
    quiet_since = time.monotonic()
    yield f"retry: {RETRY_MS}\n\n"
    while job is not None:
        for event in events(job, location(job.id)):
            if event.number > after:
                yield f"id: {event.number}\nevent: {event.name}\ndata: {json.dumps(event.data)}\n\n"
                after, quiet_since = event.number, time.monotonic()
        if job.has_ended or is_gone() or not app.waiting.is_serving():
            return
        try:
            job = app.queue.wait(job.id, LOOK_S, is_gone)
        except QueueUnavailable:
            return  # the client comes back, and is told
        if time.monotonic() - quiet_since >= HEARTBEAT_S:
            yield ": still here\n\n"
            quiet_since = time.monotonic()


def _is_gone() -> Callable[[], bool]:
    """Whether the client has disconnected, which writing would notice late."""
    return partial(hung_up, request.environ.get("gunicorn.socket"))


_JOBS: Final = "Jobs"
_OPTIONS: Final = (
    Parameter("id", "Id of the job; for several photos, one for each. Without it, a new one is made.", LINE),
    Parameter(
        "deadline_s",
        "Seconds from now; a job that no worker began by then fails.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_DEADLINE_S},
    ),
    Parameter("Idempotency-Key", "The same as id; several photos get KEY:0, KEY:1, ...", LINE, "header"),
)
ROUTES: Final = (
    Route(
        "POST",
        "/jobs",
        submit,
        _JOBS,
        "Submit photos",
        {
            200: Answer("A job with this id and photo was there already.", ref("Job"), headers=("Location",)),
            202: Answer(
                "The job is in the queue; of several photos, every one.",
                {
                    "anyOf": [
                        ref("Job"),
                        record(jobs={"type": "array", "items": ref("Outcome")}),
                    ]
                },
            ),
            207: Answer(
                "Several photos, of which at least one was refused.",
                record(jobs={"type": "array", "items": ref("Outcome")}),
            ),
        },
        (409, 415, 422, 429, 503, 507),
        "The body is a photo, or a form with a field `file` for each of several. Send an id to be able to "
        "repeat the request: the same id with the same photo gives the same job.",
        _OPTIONS,
        PHOTO_BODY,
    ),
    Route(
        "GET",
        "/jobs/<job:job_id>",
        look,
        _JOBS,
        "A job now, or when it has ended",
        {200: JOB_ANSWER},
        (404, 422, 429, 503),
        'In an id, "/" is written %2F and "%" is written %25.',
        (WAIT,),
    ),
    Route(
        "GET",
        "/jobs/<job:job_id>/events",
        follow,
        _JOBS,
        "A job's events",
        {
            200: Answer(
                "Server-sent events: queued, running, then done or failed with the job.",
                media_type="text/event-stream",
            ),
            204: Answer("The client has all events: there is nothing to come back for.", media_type=None),
        },
        (404, 422, 429, 503),
        "",
        (
            Parameter("last_event_id", "The last event seen, where the header can't be sent."),
            Parameter("Last-Event-ID", "The last event seen, as browsers send it.", where="header"),
        ),
    ),
    Route(
        "DELETE",
        "/jobs/<job:job_id>",
        forget,
        _JOBS,
        "Forget a job's result",
        {204: Answer("It is gone.", media_type=None)},
        (404, 409, 422, 503),
    ),
    Route(
        "GET",
        "/queue",
        depth,
        _JOBS,
        "How full the queue is",
        {200: Answer("Now.", ref("Depth"))},
        (422, 503),
    ),
)
