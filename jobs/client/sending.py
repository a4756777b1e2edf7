"""Submits a client's inputs as a job."""

from __future__ import annotations

from collections.abc import Mapping

from experiment.queue.connection import connection
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.results import Results
from experiment.queue.submit import Submitter
from jobs.records import ALONE_FIELD, REPLY_FIELD
from jobs.wire.arrow import Value, write_inputs
from jobs.wire.reader import INPUTS_FIELD


class Sending:
    """Sends to one queue; its jobs' results also come in the form `reply` (jobs/wire/reader.py)."""

    def __init__(self, settings: QueueSettings, reply: str):
        client = connection(settings.url)
        self._reply = reply
        self.results = Results(client, settings)
        self._submitter = Submitter(client, settings)

    def send(self, uri: str, inputs: Mapping[str, Value], deadline_s: float | None = None) -> None:
        """One image by itself goes as its own bytes, anything else as Arrow. With `deadline_s`, the caller
        waits for this result, so dequeue() leaves it alone.

        Raises QueueFull, JobConflict, QueueUnavailable, and PixelcostError for a uri that can't be used.
        """
        values = list(inputs.values())
        fields: dict[str, bytes | str] = {REPLY_FIELD: self._reply}
        if deadline_s is not None:
            fields[ALONE_FIELD] = "1"
        photo = values[0] if len(values) == 1 and isinstance(values[0], bytes) else None
        if photo is None:
            fields[INPUTS_FIELD] = write_inputs(inputs)
        job = NewJob(uri, photo, fields, deadline_s)
        if not self._submitter.submit(job):
            known = self.results.job(uri)
            if known is not None and known.state == "failed":  # sent again because it failed
                self.results.forget(uri)
                self._submitter.submit(job)
