"""spread_set(): the photos of a set measured by several processes, here or on other machines.

Tasks of an engine, not Ray Data or a table of Spark: a photo is the unit of work, its variants need not leave
the process that made them, and only a few thousand bytes come back. Each task reads its photo, makes its
variants and asks the backends; results come in any order. A process keeps its connections and warm-ups from
photo to photo.
"""

from __future__ import annotations

import atexit
import os
import platform
import threading
import uuid
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

from experiment.backends.connect import connected
from experiment.engines.base import Engine, EngineFailed
from experiment.engines.poison import MOST_DEATHS
from experiment.errors import PixelcostError
from experiment.images.header import Limits
from experiment.measure.environment import environment
from experiment.photo_sets.journal import ENCODER_PINS
from experiment.photo_sets.listing import ListedPhoto, PhotoSet
from experiment.photo_sets.photo_result import PhotoResult, Worker
from experiment.photo_sets.places import StoredFile
from experiment.photo_sets.run import Session, photo_order, settle_heap
from experiment.records import BackendInfo, Failure, Plan
from experiment.report.contention import host_of

VERSIONS: Final = ("app_version", *ENCODER_PINS)


@dataclass(frozen=True, slots=True)
class Handed:
    """A photo on its way to a worker."""

    index: int  # its place in the order of the run
    photo: ListedPhoto
    file: StoredFile


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does with each photo. Small, as engines send it with every item."""

    spread_id: str  # of one call of spread_set(): some engines use a process again
    plan: Plan
    backends: tuple[BackendInfo, ...]
    limits: Limits
    engine: str
    workers: int
    host: str  # of the machine that hands out the photos
    versions: Mapping[str, Any]  # what makes variants there

    def __call__(self, handed: Handed) -> PhotoResult | None:
        """The photo's result; None: no backend answers any more.

        Raises PixelcostError where this machine can't do what the other does.
        """
        session = _session(self)
        if not session.backends:
            return None
        result = session.result(handed.index, handed.photo, handed.file, self.limits)
        return replace(
            result, data=b"", worker=Worker(self.engine, self.workers, platform.node(), os.getpid())
        )


def spread_set(
    engine: Engine,
    workers: int,
    plan: Plan,
    photos: PhotoSet,
    backends: Sequence[BackendInfo],
    cancel: threading.Event,
    there: Container[int] = (),
    limits: Limits | None = None,
) -> Iterator[PhotoResult]:
    """Yield one result per photo, but for those whose place in the order is `there`. Set `cancel` to stop.

    They come as they end, in no order. A photo whose processes die again and again is refused. Ends early if
    some worker finds no backend that answers. Raises EngineFailed, and PixelcostError where a worker can't
    read the set, reach the backends or make the same variants.
    """
    task = Task(
        spread_id=uuid.uuid4().hex,
        plan=plan,
        backends=tuple(backends),
        limits=limits or Limits(),
        engine=engine.name,
        workers=workers,
        host=platform.node(),
        versions=_versions(),
    )
    to_do = (
        Handed(index, photo, photos.place.file(photo.name))
        for index, photo in enumerate(photo_order(photos.photos, plan.seed))
        if index not in there
    )
    while True:
        try:
            for result in engine.spread(task, to_do, workers, cancel):
                if result is None:
                    return
                yield result
            return
        except EngineFailed as failed:
            if not failed.items:
                raise
            for handed in failed.items:
                yield _killer(handed)


def _killer(handed: Handed) -> PhotoResult:
    why = (
        f"{handed.photo.name} was given up: {MOST_DEATHS} processes died, one after the other, while they "
        "measured it. It may need more memory than a worker has, or somebody else ended the workers."
    )
    return PhotoResult(
        handed.index, handed.photo.name, handed.photo.label, refused=Failure("kills_worker", why)
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a process keeps from photo to photo."""

    task: Task
    session: Session
    connections: ExitStack


_kept: list[_Kept] = []  # of this process; at most one


def _session(task: Task) -> Session:
    """The session of this process for this task. Raises PixelcostError where this machine can't take part."""
    if _kept and _kept[0].task == task:
        return _kept[0].session
    _let_go()
    _check_machine(task)
    with ExitStack() as connections:
        backends = connections.enter_context(connected(task.backends))
        session = Session(task.plan, backends, threading.Event())
        settle_heap()
        _kept.append(_Kept(task, session, connections.pop_all()))
    return session


@atexit.register
def _let_go() -> None:
    """Close the connections of this process; at the exit before gRPC is gone."""
    while _kept:
        _kept.pop().connections.close()


def _check_machine(task: Task) -> None:
    """Raises PixelcostError if this machine makes other variants, or would ask other servers."""
    here, versions = platform.node(), _versions()
    other = [
        f"{key} {versions[key]} and not {version}"
        for key, version in task.versions.items()
        if versions[key] != version
    ]
    if other:
        raise PixelcostError(
            f"The worker on {here} would make other variants than {task.host}: it has {', '.join(other)}. "
            "Install the same version of Pixelcost and of its requirements on all machines."
        )
    local = [info for info in task.backends if host_of(info) == "localhost"]
    if here != task.host and local:
        raise PixelcostError(
            f"{local[0].name} is at {local[0].address}, which means another machine for the worker on {here} "
            f"than for {task.host}. Name the servers in TF_SERVERS by addresses that all machines can reach."
        )


def _versions() -> dict[str, Any]:
    facts = environment()
    return {key: facts[key] for key in VERSIONS}
