"""One run while it is alive: from the photo's arrival to its last event."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from experiment.codec import from_dict
from experiment.errors import ImageRefused, VariantsRefused
from experiment.records import Variant
from experiment.wording import sized_name, wait
from webapp.metrics import Metrics
from webapp.runs.event_log import RunLog
from webapp.store.store import Store
from webapp.worker.large_photos import TURN_PATIENCE_S, LargePhotoBusy
from webapp.worker.process import Child, Message

PHOTO_KEYS = ("index", "name", "label", "refused")  # of a photo of a set, for those who follow
OPENING = "Making the variants."
LOOK_AGAIN_S = 1.0
CANCEL_GRACE_S = 10.0  # a child that was told to stop may finish the requests under way

log = logging.getLogger(__name__)


class LiveRun:
    """Follows one child. `accept` is called once, by the upload; `follow` by the run's own thread."""

    def __init__(
        self, run_id: str, child: Child, store: Store, metrics: Metrics, large: threading.Lock | None = None
    ):
        self.id = run_id
        self.state = "queued"
        self.log = RunLog(store, run_id)
        self.cancelled = threading.Event()
        self.ended = threading.Event()
        self._child = child
        self._messages = child.messages()
        self._store = store
        self._metrics = metrics
        self._large = large or threading.Lock()  # held while a large photo is decoded, by one run of all
        self._has_turn = False
        self._started = 0.0
        self._photo_count = 1
        self._photos_done = 0
        self._variants: dict[str, str] = {}  # id -> how progress texts name it
        self._outcome: dict[str, Any] | None = None  # the child's last message
        self._why_killed: dict[str, str] | None = None
        self._exit_code = 0
        self._finished_at = 0.0  # seconds since the epoch
        self._end_told = False

    def accept(self, job: Mapping[str, Any], photo: IO[bytes], timeout_s: float) -> dict[str, Any]:
        """Hand the photo to the child. Returns its `accepted` message.

        Raises ImageRefused and LargePhotoBusy.
        """
        with _Watchdog(timeout_s, self._child.kill) as watchdog:
            self._child.send_job(job, photo)
            answer = next(self._messages, None)
        if answer is not None and answer.kind == "large":
            with self._turn_for_large(), _Watchdog(timeout_s, self._child.kill) as watchdog:
                self._child.say("read")
                answer = next(self._messages, None)
        if answer is not None and answer.kind == "accepted":
            self.log.progress.planned = answer.body["requests_planned"]
            self._photo_count = answer.body["source"].get("photo_set", {}).get("count", 1)
            return answer.body
        exit_code = self._child.close()
        if answer is not None:
            raise _refusal(answer.body)
        raise _unreadable(exit_code, timeout_s, timed_out=watchdog.barked)

    @contextmanager
    def _turn_for_large(self) -> Iterator[None]:
        """Nobody else decodes a large photo meanwhile. Raises LargePhotoBusy."""
        if not self._large.acquire(timeout=TURN_PATIENCE_S):
            self.abandon()
            raise LargePhotoBusy
        try:
            yield
        finally:
            self._large.release()

    def announce(self, position: int, left_s: float | None = None) -> None:
        """Tell the readers which place in the queue the run has; 1 is next, in `left_s` or so."""
        about = f", in about {max(1, round(left_s))} s" if left_s else ""
        is_next = f"Another run is in progress; yours is next{about}."
        text = is_next if position == 1 else f"{position} runs are before yours."
        self.log.add("state", {"state": "queued", "position": position, "text": text})

    def follow(self, max_run_s: float, opening: str = OPENING) -> None:
        """Let the child begin and record what it sends, until its end."""
        self._started = time.monotonic()
        self.state = "running"
        self.log.add("state", {"state": "running", "position": 0, "text": opening})
        self._child.say("go")
        too_long = {
            "code": "too_long",
            "message": f"The run was stopped after {max_run_s:g} s, the limit. What was measured is kept.",
        }
        with _Watchdog(max_run_s, lambda: self.kill(too_long)):
            for message in self._messages:
                _HANDLERS[message.kind](self, message)
                if self._outcome is not None:
                    break

    def cancel(self) -> None:
        """Stop soon; what was measured is kept."""
        self.cancelled.set()
        self._child.say("cancel")
        timer = threading.Timer(CANCEL_GRACE_S, self._child.kill)
        timer.daemon = True
        timer.start()

    def kill(self, why: dict[str, str]) -> None:
        """Stop now; `why` is the failure's code and message."""
        self._why_killed = self._why_killed or why
        self._child.kill()

    def abandon(self) -> None:
        """Give up a run that could not be recorded."""
        self._child.kill()
        self._child.close()

    @property
    def is_killed(self) -> bool:
        """Whether it was told to stop at once."""
        return self._why_killed is not None

    def close(self) -> None:
        """End the child."""
        self._exit_code = self._child.close()
        self._end_turn()
        self._finished_at = time.time()

    def record_end(self, headline: Callable[[str], str | None]) -> None:
        """Store how the run ended and wake its readers. Where that fails it can be called again."""
        self.log.flush()
        state, failure, environment = self._ending(self._exit_code)
        planned = self.log.progress.planned  # of a set an estimate at first
        values = {"state": state, "failure": failure, "finished_at": self._finished_at}
        more = {"environment": environment} if environment else {}
        self._store.change(self.id, **values, requests_planned=planned, **more)
        self._store.change(self.id, headline=headline(self.id))
        if not self._end_told:
            self.log.add("end", {"state": state, "text": self._end_text(state, failure)})
            self._end_told = True
        self.log.flush()
        self.state = state
        self._metrics.finished(state)

    def _ending(self, exit_code: int) -> tuple[str, dict[str, str] | None, dict[str, Any] | None]:
        if self._outcome is not None:
            return self._outcome["state"], self._outcome.get("failure"), self._outcome.get("environment")
        if self._why_killed is not None:
            return "failed", self._why_killed, None
        if self.cancelled.is_set():
            return "cancelled", None, None
        return "failed", _died(exit_code), None

    def _end_text(self, state: str, failure: Mapping[str, str] | None) -> str:
        progress = self.log.progress
        if failure is not None:
            return failure["message"]
        if state == "cancelled" and not progress.done:
            return "Stopped before the first request. Nothing was measured."
        if state == "cancelled":
            counts = f"{progress.done} of {progress.planned}"
            return f"Stopped after {counts} requests. The results so far are kept."
        seconds = time.monotonic() - self._started
        left_out = f", {progress.not_sent} were not sent" if progress.not_sent else ""
        asked = progress.done - progress.not_sent
        return f"Done in {seconds:.0f} s. {asked} requests, {progress.failed} failed{left_out}."

    def _on_variant(self, message: Message) -> None:
        variant = message.body["variant"]
        self._store.add_blob(self.id, variant["id"], message.parts)
        self._variants[variant["id"]] = sized_name(from_dict(Variant, variant))
        self.log.add("variant", variant)

    def _on_progress(self, message: Message) -> None:
        self.log.add("progress", self.log.progress.event(message.body["text"]))

    def _on_measurement(self, message: Message) -> None:
        measurement = message.body["measurement"]
        progress = self.log.progress
        prediction, scores = measurement["prediction"], None
        if prediction is not None:
            scores, prediction["distribution"] = prediction.get("distribution"), None
        progress.count(measurement["failure"])
        self._metrics.measured(measurement)
        self.log.add("measurement", measurement, scores)
        if progress.is_due:
            self.log.add("progress", progress.event(self._progress_text(measurement)))

    def _on_photo(self, message: Message) -> None:
        """The whole result is for reports alone; readers of the stream get its name."""
        photo, progress = message.body["photo"], self.log.progress
        for measurement in photo["measurements"]:
            progress.count(measurement["failure"])
            self._metrics.measured(measurement)
        self._photos_done += 1
        progress.planned = round(progress.done * self._photo_count / self._photos_done)
        self.log.add("photo", {key: photo[key] for key in PHOTO_KEYS}, photo)
        if progress.is_due or self._photos_done == self._photo_count:
            self.log.add("progress", progress.event(self._photo_text(photo["name"])))

    def _photo_text(self, name: str) -> str:
        left = f", about {wait(self.log.progress.eta_s)} left" if self.log.progress.eta_s else ""
        return f"Photo {self._photos_done:,} of {self._photo_count:,}: {name}{left}"

    def _progress_text(self, measurement: Mapping[str, Any]) -> str:
        backend, variant = measurement["backend_name"], measurement["variant_id"]
        if measurement["is_warmup"]:
            return f"Warming up {backend}"
        return self.log.progress.text(f"{self._variants.get(variant, variant)} on {backend}")

    def _on_large(self, _: Message) -> None:
        """The photo is decoded again, now that the run's turn has come."""
        while not self._large.acquire(timeout=LOOK_AGAIN_S):
            if not self._child.is_alive:  # cancelled or stopped meanwhile
                return
        self._has_turn = True
        self._child.say("read")

    def _on_made(self, _: Message) -> None:
        self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._large.release()

    def _on_step(self, message: Message) -> None:
        """One answer of a search for the breaking point."""
        step, progress = message.body["step"], self.log.progress
        progress.count(None)
        self.log.add("step", message.body)
        where = f"{step['size_px']} px, JPEG q{step['quality']} on {message.body['backend_name']}"
        self.log.add("progress", progress.event(f"{where}: {step['label']}"))

    def _on_finding(self, message: Message) -> None:
        self.log.add("finding", message.body["finding"])

    def _on_end(self, message: Message) -> None:
        self._outcome = message.body


_HANDLERS: dict[str, Callable[[LiveRun, Message], None]] = {
    "variant": LiveRun._on_variant,
    "progress": LiveRun._on_progress,
    "measurement": LiveRun._on_measurement,
    "photo": LiveRun._on_photo,
    "large": LiveRun._on_large,
    "made": LiveRun._on_made,
    "step": LiveRun._on_step,
    "finding": LiveRun._on_finding,
    "end": LiveRun._on_end,
}


class _Watchdog:
    """Calls `bark` when the block takes longer than `limit_s`."""

    def __init__(self, limit_s: float, bark: Callable[[], None]):
        self.barked = False
        self._bark = bark
        self._timer = threading.Timer(limit_s, self._limit_passed)
        self._timer.daemon = True

    def __enter__(self) -> _Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()

    def _limit_passed(self) -> None:
        self.barked = True
        self._bark()


def _refusal(body: Mapping[str, Any]) -> Exception:
    if body["code"] == VariantsRefused.code:
        return VariantsRefused([body["message"]])
    return ImageRefused(body["message"], body["code"], body["http_status"])


def _unreadable(exit_code: int, timeout_s: float, *, timed_out: bool) -> Exception:
    """Why there was no answer about the photo: the photo's fault, unless the child never worked."""
    if timed_out:
        return ImageRefused(
            f"Decoding this photo took longer than {timeout_s:g} s, the limit. Save it again as JPEG or PNG.",
            "damaged",
            422,
        )
    if exit_code < 0:
        return ImageRefused(
            "Decoding this photo ended the process that reads it, so the file is damaged or too heavy. "
            "Save it again as JPEG or PNG.",
            "damaged",
            422,
        )
    return RuntimeError(f"the timing process ended with exit code {exit_code} before it read the photo")


def _died(exit_code: int) -> dict[str, str]:
    cause = f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return {
        "code": "worker_died",
        "message": f"The process that measures ended early ({cause}). What it had measured is kept. "
        "Run it again; if it happens again, look at the server's log.",
    }
