"""Reports of stored runs, computed from their events."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from experiment.codec import from_dict
from experiment.decide.other_goals import judged
from experiment.export.answers_csv import AnswerRows
from experiment.export.report_json import load_dict, report_dict
from experiment.photo_sets.counts import SetCounts
from experiment.photo_sets.journal import SetHeader, vocabularies_of
from experiment.photo_sets.photo_result import PhotoResult
from experiment.photo_sets.summarise import summarise_set
from experiment.records import (
    BackendInfo,
    Failure,
    LoadCurve,
    Measurement,
    Plan,
    Report,
    Run,
    RunState,
    SourceImage,
    Variant,
)
from experiment.report.method import method
from experiment.report.summarise import summarise
from webapp.runs.follow_up import results_of, stamp_of
from webapp.runs.load_events import curves_in, newest
from webapp.store.headline import headline_of
from webapp.store.sample import SAMPLE_ID
from webapp.store.store import Event, Store, StoredRun

KEPT = 4  # reports in memory; the page requests one run's report and figures again and again
PAGE_EVENTS = 500

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Records:
    """What the events of one run say, up to event `seq`."""

    seq: int = 0
    source: SourceImage | None = None
    skipped_sizes_px: tuple[int, ...] = ()
    variants: list[Variant] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    header: SetHeader | None = None  # None: a run of one photo
    tally: SetCounts = field(default_factory=SetCounts)  # of a photo set

    def read(self, event: Event) -> None:
        """Take in the next event."""
        self.seq = event.seq
        if event.kind == "measurement":
            self.measurements.append(_measurement(event))
        elif event.kind == "variant":
            self.variants.append(from_dict(Variant, json.loads(event.data)))
        elif event.kind == "source":
            source = json.loads(event.data)
            self.skipped_sizes_px = tuple(source.pop("skipped_sizes_px"))
            self._begin(source)
        elif event.kind == "photo":
            self.tally.add(from_dict(PhotoResult, json.loads(event.scores or "{}")))

    def _begin(self, source: dict[str, Any]) -> None:
        if "photo_set" not in source:
            self.source = from_dict(SourceImage, source)
            return
        self.header = from_dict(SetHeader, source["photo_set"])
        self.tally = SetCounts(vocabularies_of(self.header))


class Reports:
    """Makes reports and keeps the last few. Safe to use from several threads."""

    def __init__(self, store: Store):
        self._store = store
        self._lock = threading.Lock()
        self._made: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        self._growing: tuple[str, Records] = ("", Records())  # of the live run that was requested last

    def report(self, run_id: str) -> dict[str, Any]:
        """The exported report so far of a run, or of the run that a follow-up is of. Raises NoSuchRun."""
        run = self._store.run(self._store.follow_ups.run_of(run_id) or run_id)
        run_id = run.id
        with self._lock:
            stamp, made = self._made.get(run_id, ("", {}))
            if stamp != self.stamp(run):
                made = self._imported(run) if run.state == "imported" else report_dict(self._summary(run))
                made["has_pictures"] = self._store.thumbs.keys(run_id)
                self._keep(run, made)
        return made

    def under_way(self, run_id: str) -> dict[str, Any]:
        """report() with the load test that goes on now, as far as it has come. Raises NoSuchRun."""
        made = self.report(run_id)
        follow_ups = self._store.follow_ups.of(made["run_id"])
        live = [run for kind, run in follow_ups if kind == "load" and run.is_live]
        if not live:
            return made
        known = [from_dict(LoadCurve, row) for row in made["load"]]
        so_far = [curve for run in live for curve in curves_in(self._events_after(run.id, 0), run.state)]
        return made | {"load": [load_dict(curve) for curve in newest([*known, *so_far])]}

    def answers(self, run_id: str) -> Iterator[str]:
        """Every answer of a photo set as CSV, in pieces. Raises NoSuchRun."""
        header: SetHeader | None = None
        text = io.StringIO(newline="")
        for event in self._events_after(run_id, 0):
            if event.kind == "source":
                header = from_dict(SetHeader, json.loads(event.data)["photo_set"])
                rows = AnswerRows(vocabularies_of(header), text)
            elif event.kind == "photo" and header is not None:
                rows.add(from_dict(PhotoResult, json.loads(event.scores or "{}")))
                yield text.getvalue()
                text.seek(0)
                text.truncate()
        yield text.getvalue()

    def stamp(self, run: StoredRun) -> str:
        """Changes whenever the report does. The event "end", a little later, does not change it."""
        place = run.last_seq if run.is_live else "end"
        return f"{run.id}-{place}-{run.state}" + stamp_of(self._store.follow_ups.of(run.id))

    def recommendation(self, run_id: str) -> str | None:
        """The recommendation in one sentence; None if the report can't be made."""
        try:
            sentence: str = self.report(run_id)["recommendation"]["sentence"]
        except Exception:
            log.exception("the report of run %s can't be made", run_id)
            return None
        return sentence

    def headline(self, run_id: str) -> str | None:
        """What the history shows and searches; None if the report can't be made."""
        return self.recommendation(run_id) and headline_of(self.report(run_id))

    def _keep(self, run: StoredRun, made: dict[str, Any]) -> None:
        self._made[run.id] = (self.stamp(run), made)
        self._made.move_to_end(run.id)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)

    def _imported(self, run: StoredRun) -> dict[str, Any]:
        """The report as it was imported, with this version's description of the method.

        The sample run is judged again too: an older version may have written its sentences.
        """
        (event,) = self._store.events(run.id)
        made: dict[str, Any] = json.loads(event.data)
        return judged(made) if run.id == SAMPLE_ID else made | {"method": method(made)}

    def _summary(self, run: StoredRun) -> Report:
        records = self._records(run)
        plan, state = from_dict(Plan, run.plan), cast(RunState, run.state)
        backends = tuple(from_dict(BackendInfo, info) for info in run.backends)
        failure = None if run.failure is None else from_dict(Failure, run.failure)
        if records.header is not None:
            header = replace(records.header, run_id=run.id, created_at=run.created_at, plan=plan)
            header = replace(header, environment=run.environment)
            return summarise_set(header, records.tally, state, backends, failure)
        assert records.source is not None, f"run {run.id} has no source event"  # noqa: S101
        results = results_of(self._store.follow_ups.of(run.id), self._events_after, _measurement)
        measured = Run(
            run_id=run.id,
            state=state,
            created_at=run.created_at,
            source=records.source,
            plan=plan,
            environment=run.environment,
            backends=backends,
            variants=tuple(records.variants),
            skipped_sizes_px=records.skipped_sizes_px,
            measurements=tuple(records.measurements),
            requests_planned=run.requests_planned + results.requests,
            failure=failure,
        )
        return summarise(measured, results.sessions, results.breaking_points, results.load)

    def _records(self, run: StoredRun) -> Records:
        """What the events say. For a live run only the new ones are read; an ended run is not kept."""
        known_id, records = self._growing
        if known_id != run.id:
            records = Records()
        for event in self._events_after(run.id, records.seq):
            records.read(event)
        self._growing = (run.id, records) if run.is_live else ("", Records())
        return records

    def _events_after(self, run_id: str, seq: int) -> Iterator[Event]:
        while page := self._store.events(run_id, seq, PAGE_EVENTS, with_scores=True):
            yield from page
            seq = page[-1].seq


def _measurement(event: Event) -> Measurement:
    stored: Mapping[str, Any] = json.loads(event.data)
    if event.scores is not None:
        stored["prediction"]["distribution"] = json.loads(event.scores)
    return from_dict(Measurement, stored)
