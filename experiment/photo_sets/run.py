"""measure_set(): photo after photo through all variants and backends, one result each.

Each photo is a block: every variant goes once (or `repeats` times) to every backend, in an
order of its own. All variants of a photo are made before its first request, and it is let go
before the next one is read, so memory does not grow with the number of photos.
"""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace

from experiment.backends.base import Backend
from experiment.errors import ImageRefused
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.variants import make_variants, skipped_sizes_px
from experiment.measure.heartbeat import Heartbeat
from experiment.measure.run import measure
from experiment.photo_sets.listing import ListedPhoto, PhotoSet, bytes_of
from experiment.photo_sets.photo_result import Beats, PhotoResult, without_weight
from experiment.photo_sets.places import StoredFile
from experiment.records import SEED_LIMIT, Failure, Measurement, Plan, SourceImage, Variant

SILENT = Failure("backends_silent", "All backends stopped answering. The results so far are kept.")


def photo_order(photos: Sequence[ListedPhoto], seed: int) -> list[ListedPhoto]:
    """The photos shuffled, so that those measured before an early end are a fair sample of all."""
    shuffled = list(photos)
    random.Random(f"{seed}/photos").shuffle(shuffled)
    return shuffled


def measure_set(
    plan: Plan,
    photos: PhotoSet,
    backends: Sequence[Backend],
    cancel: threading.Event,
    there: Container[int] = (),
    limits: Limits | None = None,
    read: Callable[[bytes, str, Limits], SourceImage] = read_image,
) -> Iterator[PhotoResult]:
    """Yield one result per photo, but for those whose place in the order is `there`. Set `cancel` to stop.

    `read` is read_image() or what waits before it.

    The photo under way at a cancel is dropped as a whole; a later run takes it again. A backend
    that stopped answering is left out from the next photo on; without any, the run ends.
    """
    session = Session(plan, backends, cancel)
    limits = limits or Limits()
    order = photo_order(photos.photos, plan.seed)
    settle_heap()
    try:
        for index, photo in enumerate(order):
            if index in there:
                continue
            if cancel.is_set() or not session.backends:
                return
            result = session.result(index, photo, photos.place.file(photo.name), limits, read)
            if cancel.is_set():
                return
            yield result
    finally:
        gc.unfreeze()


def settle_heap() -> None:
    """Keep the garbage collector from walking through what is there already, in the middle of a measurement.

    That takes 8 ms with the modules alone, and longer with the names of many photos.
    """
    gc.collect()
    gc.freeze()


LEAST_PX = 96  # of a variant that shows the photo well enough


def _to_look_at(variants: Sequence[Variant]) -> bytes:
    """The smallest variant that shows the photo: it is decoded fast. Of several the least compressed."""
    large_enough = [variant for variant in variants if variant.size_px >= LEAST_PX] or list(variants[:1])
    return min(large_enough, key=lambda variant: (variant.size_px, -variant.size_bytes)).data


class Session:
    """What one process does without a break: its backends are warmed once for each variant."""

    def __init__(self, plan: Plan, backends: Sequence[Backend], cancel: threading.Event):
        self._plan = replace(plan, split_decode=False)  # one photo shows what decoding takes
        self._cancel = cancel
        self._warm: set[str] = set()
        self.backends = list(backends)

    def result(
        self,
        index: int,
        photo: ListedPhoto,
        file: StoredFile,
        limits: Limits,
        read: Callable[[bytes, str, Limits], SourceImage] = read_image,
    ) -> PhotoResult:
        """The photo at place `index` of the order, measured or refused."""
        try:
            source = read(bytes_of(photo, file, limits), photo.name, limits)
        except ImageRefused as refusal:
            why = Failure(refusal.code, refusal.message)
            return PhotoResult(index, photo.name, photo.label, refused=why)
        return self._measured(index, photo, source)

    def _measured(self, index: int, photo: ListedPhoto, source: SourceImage) -> PhotoResult:
        """The photo's variants, made and sent."""
        variants = tuple(make_variants(source, self._plan))
        warm_up = replace(self._plan, repeats=0)
        seed = random.Random(f"{self._plan.seed}/{index}").randrange(SEED_LIMIT)  # an order for each photo
        count = replace(self._plan, warmups=0, seed=seed)
        with Heartbeat() as heartbeat:
            cold = [variant for variant in variants if variant.id not in self._warm]
            taken = self._take(warm_up, cold, heartbeat)
            taken += self._take(count, variants, heartbeat)
        self._warm |= {variant.id for variant in variants}
        self._let_go_of_silent_ones(taken, {variant.id: variant.format for variant in variants})
        return PhotoResult(
            index=index,
            name=photo.name,
            label=photo.label,
            sha256=source.sha256,
            media_type=source.media_type,
            size_bytes=source.size_bytes,
            width_px=source.width_px,
            height_px=source.height_px,
            decode_ms=source.decode_ms,
            skipped_sizes_px=skipped_sizes_px(source, self._plan),
            notes=source.notes,
            variants=tuple(replace(variant, data=b"") for variant in variants),
            measurements=tuple(taken),
            beats=Beats(heartbeat.beats, heartbeat.late, round(heartbeat.max_delay_ms, 2)),
            data=_to_look_at(variants),
        )

    def _take(self, plan: Plan, variants: Sequence[Variant], heartbeat: Heartbeat) -> list[Measurement]:
        if not variants:
            return []
        taken = measure(plan, variants, self.backends, self._cancel)
        return [without_weight(measurement) for measurement in heartbeat.watched(taken)]

    def _let_go_of_silent_ones(self, taken: Sequence[Measurement], formats: Mapping[str, str]) -> None:
        """`formats`: by variant id. What was not sent in a format that is not read says nothing."""
        infos = {backend.info.name: backend.info for backend in self.backends}
        silent = {
            each.backend_name
            for each in taken
            if each.failure
            and not each.failure.was_sent
            and infos[each.backend_name].reads_format(formats[each.variant_id])
        }
        self.backends = [backend for backend in self.backends if backend.info.name not in silent]
