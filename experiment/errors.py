"""What can go wrong, as one tree. Every error carries a sentence for people, a stable code and an HTTP
status.

    PixelcostError            400  error              wrong input, or a state that a person can mend
        ImageRefused          422  image_refused      a photo; IMAGE_CODES has its own codes and statuses
        PlanRefused           422  plan_refused       a plan that asks for what does not exist
        VariantsRefused       422  variants_refused   variants that a browser made
        ConfigRefused         500  config_refused     settings
        EmbeddedFailed        500  embedded_failed    an embedded model server did not start
            ModelUnavailable  500  embedded_failed    experiment/embedded/models_cli.py
            StartStopped      500  embedded_failed    experiment/embedded/models_cli.py
        JournalRefused        409  journal_refused    experiment/photo_sets/journal.py
        LabelsRefused         422  labels_refused     experiment/photo_sets/label_files.py
        SetNotHere            422  set_not_here       experiment/photo_sets/places.py
        NotComparable         422  not_comparable     experiment/decide/compare.py
        BudgetRefused         422  budget_refused     experiment/check/budget.py
        PriceRefused          400  bad_price          experiment/decide/prices.py
        UplinkRefused         400  bad_uplink         experiment/decide/uplinks.py
        ReportRefused         422  report_refused     experiment/export/import_report.py
        QueueUnavailable      503  queue_unavailable  experiment/queue/connection.py
        QueueFull             429  queue_full         experiment/queue/submit.py
        JobConflict           409  job_conflict       experiment/queue/submit.py
        EngineFailed          500  engine_failed      experiment/engines/base.py
        BadInput              422  bad_input          jobs/client/values.py
        NameTaken             409  name_taken         jobs/worker/lease.py
        Refused               400  error              httpserver/problems.py; its code says more
        NoSuchRun             404  no_such_run        webapp/store/store.py
        TooBusy               429  too_many_runs      webapp/runs/queue.py
        ServerRefused         422  server_refused     webapp/added_servers.py
        LargePhotoBusy        429  large_photo_waits  webapp/worker/large_photos.py

A request that fails while measuring is data, not an exception: a `Failure` with one of FAILURE_CODES, made
from RequestFailed of experiment/backends/base.py. `serving/errors.py` has the model server's own tree.

>>> PlanRefused(["warmups must be a whole number from 0 to 100, not -1."]).http_status
422
"""

from __future__ import annotations

from collections.abc import Sequence

from common.installed import as_typed

# The closed list of causes that a failed request can have.
FAILURE_CODES = {
    "unreachable": "nothing answers at the address, or the connection broke",
    "deadline": "no answer within the time limit",
    "too_large": "the message is over a size limit",
    "bad_request": "the backend refused the image or the request",
    "not_found": "the backend has no such model, version or signature",
    "overloaded": "the backend is overloaded and said so",
    "bad_answer": "the answer can't be understood, has the wrong shape, or holds NaN",
    "not_sent": "the backend had stopped answering; the request was not sent and does not count as failed",
    "server_error": "the backend failed on its side",
}


class PixelcostError(Exception):
    """Something that a person did or can mend. `code` is stable, `message` is a sentence for people."""

    code = "error"
    http_status = 400

    def __init__(self, message: str, code: str | None = None, http_status: int | None = None):
        self.message = as_typed(message)
        super().__init__(self.message)
        self.code = code or self.code
        self.http_status = http_status or self.http_status


class ImageRefused(PixelcostError):
    """A photo can't be used. `code` is one of IMAGE_CODES; refusals.py makes these."""

    code = "image_refused"
    http_status = 422


# Code of an ImageRefused -> its HTTP status.
IMAGE_CODES = {
    "not_an_image": 415,
    "format_not_allowed": 415,
    "heic_not_supported": 415,
    "empty_file": 422,
    "too_many_bytes": 413,
    "too_many_pixels": 413,
    "side_too_long": 422,
    "truncated": 422,
    "damaged": 422,
}


class _SeveralProblems(PixelcostError):
    """`problems` holds a sentence for each of them; all are named at once."""

    http_status = 422

    def __init__(self, problems: Sequence[str]):
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class PlanRefused(_SeveralProblems):
    """The plan asks for something that does not exist, or for too much."""

    code = "plan_refused"


class VariantsRefused(_SeveralProblems):
    """Variants made in a browser can't be used, or are not those of the plan."""

    code = "variants_refused"


class ConfigRefused(PixelcostError):
    """Settings can't be used. `what` they belong to begins the message, which names every problem."""

    code = "config_refused"
    http_status = 500

    def __init__(self, what: str, problems: Sequence[str]):
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{what} has {count}: " + "; ".join(problems) + ".")
        self.problems = tuple(problems)


class EmbeddedFailed(PixelcostError):
    """An embedded model server could not be prepared or started."""

    code = "embedded_failed"
    http_status = 500
