"""Turns the messages of a timing process into the events of its run, progress texts included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from experiment.codec import from_dict
from experiment.records import SearchStep, Thumb, Variant
from experiment.wording import sized_name, wait
from webapp.metrics import Metrics
from webapp.runs.event_log import EventLog
from webapp.store.store import Store
from webapp.worker.pipe import Accepted, Message, Picture, Preparing, Result

PHOTO_KEYS = ("index", "name", "label", "refused")  # of a set's photo, for event streams


class Recorder:
    """Records one run. `read` returns the bytes that follow a message, given their number."""

    def __init__(self, run_id: str, store: Store, metrics: Metrics, read: Callable[[int], Iterator[bytes]]):
        self.log = EventLog(store, run_id)
        self._run_id = run_id
        self._store = store
        self._metrics = metrics
        self._read = read
        self._photo_count = 1
        self._photos_done = 0
        self._variants: dict[str, str] = {}  # id -> name in progress texts
        self._pictures: set[str] = set()  # keys of those that are stored

    def begin(self, accepted: Accepted) -> None:
        """Note the number of requests and photos."""
        self.log.progress.planned = accepted.requests_planned
        self._photo_count = accepted.source.get("photo_set", {}).get("count", 1)

    def record(self, message: Message) -> None:
        """Add the events of one message."""
        match message:
            case Preparing(text):
                self._add_progress(text)
            case Picture():
                self._add_picture(message)
            case Result("variant", variant):
                self._add_variant(variant, self._read(variant["size_bytes"]))
            case Result("measurement", measurement):
                self._add_measurement(measurement)
            case Result("photo", photo):
                self._add_photo(photo)
            case Result("step", step):
                self._add_step(step)
            case Result("finding" | "curve" as kind, found):
                self.log.add(kind, found)
            case Result("loop", loop):
                self._add_loop(loop)
            case Result("trial", trial):
                self._add_trial(trial)
            case _:
                raise TypeError(f"{message} is not for the log")

    def _add_progress(self, text: str) -> None:
        self.log.add("progress", self.log.progress.event(text))

    def _add_variant(self, variant: Mapping[str, Any], content: Iterable[bytes]) -> None:
        self._store.add_blob(self._run_id, variant["id"], content)
        self._variants[variant["id"]] = sized_name(from_dict(Variant, variant))
        self.log.add("variant", {**variant, "picture": self._named(variant["id"])})

    def _add_picture(self, picture: Picture) -> None:
        data = b"".join(self._read(picture.size_bytes))
        made = Thumb(picture.media_type, picture.width_px, picture.height_px, data)
        self._store.thumbs.add(self._run_id, picture.key, made)
        self._pictures.add(picture.key)

    def _named(self, key: str) -> str | None:
        """The key of a picture, for event streams; None: there is none."""
        return key if key in self._pictures else None

    def _add_measurement(self, measurement: Mapping[str, Any]) -> None:
        prediction, scores = measurement["prediction"], None
        if prediction is not None:
            scores, prediction["distribution"] = prediction.get("distribution"), None
        self._count(measurement)
        self.log.add("measurement", measurement, scores)
        if self.log.progress.is_due:
            self._add_progress(self._measurement_text(measurement))

    def _count(self, measurement: Mapping[str, Any]) -> None:
        self.log.progress.count(measurement["failure"])
        self._metrics.measured(measurement)

    def _measurement_text(self, measurement: Mapping[str, Any]) -> str:
        backend, variant = measurement["backend_name"], measurement["variant_id"]
        if measurement["is_warmup"]:
            return f"Warming up {backend}"
        return self.log.progress.text(f"{self._variants.get(variant, variant)} on {backend}")

    def _add_photo(self, photo: Mapping[str, Any]) -> None:
        """Reports get the whole result; event streams only PHOTO_KEYS."""
        for measurement in photo["measurements"]:
            self._count(measurement)
        progress = self.log.progress
        self._photos_done += 1
        progress.planned = round(progress.done * self._photo_count / self._photos_done)
        self.log.add("photo", {key: photo[key] for key in PHOTO_KEYS}, photo)
        if progress.is_due or self._photos_done == self._photo_count:
            left = f", about {wait(progress.eta_s)} left" if progress.eta_s else ""
            count = f"{self._photos_done:,} of {self._photo_count:,}"
            self._add_progress(f"Photo {count}: {photo['name']}{left}")

    def _add_loop(self, found: Mapping[str, Any]) -> None:
        """A closed loop before a load test, as _add_trial()."""
        loop = found["loop"]
        self.log.progress.add_requests(loop["count"], loop["failures"])
        told = {key: found[key] for key in ("variant_id", "backend_name")}
        counts = {key: loop[key] for key in ("in_flight", "count", "failures")}
        self.log.add("loop", {**told, **counts}, loop)

    def _add_trial(self, found: Mapping[str, Any]) -> None:
        """One rate of a load test. Reports get every request; event streams only how many there were."""
        trial, progress = found["trial"], self.log.progress
        failed = sum(cause is not None for cause in trial["causes"])
        progress.add_requests(len(trial["due_s"]), failed)
        told = {key: found[key] for key in ("variant_id", "backend_name")}
        counts = {"offered_per_s": trial["offered_per_s"], "count": len(trial["due_s"]), "failures": failed}
        self.log.add("trial", {**told, **counts}, trial)
        timing = {"eta_s": found["left_s"], "share": found["share"]}
        self.log.add("progress", {**progress.event(found["text"]), **timing})

    def _add_step(self, found: Mapping[str, Any]) -> None:
        """One step of a search for the breaking point."""
        self.log.progress.count(None)
        step = found["step"]
        key = from_dict(SearchStep, step).picture_key
        self.log.add("step", {**found, "picture": self._named(key)})
        copy = f"{step['size_px']} px, JPEG q{step['quality']}"
        self._add_progress(f"{copy} on {found['backend_name']}: {step['label']}")
