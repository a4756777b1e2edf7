"""What the front end's routes share: its models with their queues, and its timers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from flask import current_app

from experiment.errors import PixelcostError
from experiment.queue.records import Job, NewJob
from gateway.cluster_serving.servables import Servable
from gateway.cluster_serving.timers import Timers
from gateway.services import Queue, Services
from httpserver.problems import Refused


class FrontEnd:
    """The models by name and version. Models of one queue share its connections."""

    def __init__(self, shared: Services, servables: Sequence[Servable]):
        self._shared = shared
        self.servables = list(servables)
        self.timers = Timers()
        self._queues = {shared.queue.settings: shared.queue}
        for servable in servables:
            if servable.queue not in self._queues:
                self._queues[servable.queue] = Queue(servable.queue, shared.waiting)

    def start(self) -> None:
        """Listen to the queues that the gateway itself does not know. Call it after any fork."""
        for queue in self._queues.values():
            if queue is not self._shared.queue:
                queue.start()

    def named(self, name: str, version: str | None = None) -> list[Servable]:
        """At least one. Raises Refused."""
        found = [each for each in self.servables if each.name == name and version in {None, each.version}]
        if not found:
            offered = ", ".join(f"{each.name} {each.version}" for each in self.servables)
            what = name if version is None else f"{name} in version {version}"
            raise Refused("no_such_model", f"There is no model {what[:200]}. Models: {offered}.", 404)
        return found

    def submit(self, servable: Servable, jobs: Sequence[NewJob]) -> None:
        """Put the jobs into the model's queue. Raises as Submitter.submit()."""
        queue = self._queues[servable.queue]
        with self.timers.timed("redis.put"):
            for number, job in enumerate(jobs):
                try:
                    queue.submit(job)
                except PixelcostError as error:
                    if number:
                        before = ", ".join(job.id for job in jobs[:number])
                        accepted = f"{number} of {len(jobs)} instances were accepted: {before}."
                        error.message = f"{error.message} {accepted}"
                    raise

    def results(
        self, servable: Servable, ids: Sequence[str], wait_s: float, is_gone: Callable[[], bool]
    ) -> list[Job]:
        """The jobs with these ids once all have ended. Raises Refused, QueueUnavailable."""
        queue, most_s = self._queues[servable.queue], min(wait_s, self._shared.settings.max_wait_s)
        until = time.monotonic() + most_s
        with self.timers.timed("redis.wait"):
            found = [queue.wait(job_id, until - time.monotonic(), is_gone) for job_id in ids]
        ended = [job for job in found if job is not None and job.has_ended]
        if len(ended) < len(ids):
            late = [
                job_id for job_id, job in zip(ids, found, strict=True) if job is None or not job.has_ended
            ]
            raise Refused(
                "late_job",
                f"{len(late)} of {len(ids)} jobs have not ended within {most_s:g} s. They are not lost: "
                f"ask the gateway's own port for /jobs/ID later. Ids: {', '.join(late)}.",
                504,
            )
        for job in ended:
            queue.forget(job.id)  # its only reader has it
        return ended


def front_end() -> FrontEnd:
    """That of the app that answers now."""
    found: FrontEnd = current_app.extensions["gateway.front_end"]
    return found
