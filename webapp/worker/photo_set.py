"""A photo set in the timing process, which reads one photo after another from files on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from experiment.backends.connect import connected
from experiment.codec import to_dict
from experiment.errors import PixelcostError
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.variants import most_variants
from experiment.measure.environment import environment
from experiment.measure.schedule import planned_requests
from experiment.photo_sets.explore.photo_index import has_flipped
from experiment.photo_sets.journal import header_of
from experiment.photo_sets.label_files import labels_in
from experiment.photo_sets.listing import LabelsCsv, PhotoSet, photo_set_in
from experiment.photo_sets.photo_result import PhotoResult
from experiment.photo_sets.places import Archive, FileOnDisk, Place
from experiment.photo_sets.run import SILENT, measure_set
from experiment.records import SourceImage
from webapp.worker.large_photos import are_large, await_turn
from webapp.worker.pictures import send_picture
from webapp.worker.pipe import (
    Accepted,
    Ended,
    LargePhotoDone,
    Parent,
    PhotoSetJob,
    Result,
    Task,
    too_many_photos,
)

# A ZIP file also holds folders and files of the system; macOS adds a second file for every photo.
ENTRIES_PER_PHOTO = 10

PHOTO_SIDE_PX = 96  # longest side of a small picture, which takes 1 to 4 kB
ALWAYS_SHOWN = 300  # photos
MOST_PICTURE_BYTES = 3_000_000  # of a run; the last one may exceed it


def run_set(parent: Parent, task: Task[PhotoSetJob]) -> None:
    """List the photos, announce the run, wait for "go", measure, say how it ended.

    Raises PixelcostError if there are none or too many.
    """
    plan, job = task.plan, task.job
    photos = _photos(job)
    header = header_of("", time.time(), photos, plan, task.backends, {}, job.model)
    once = planned_requests(replace(plan, warmups=0, split_decode=False), most_variants(plan), task.asked)
    parent.send(Accepted({"photo_set": to_dict(header)}, (), requests_planned=once * len(photos.photos)))
    parent.go.wait()
    facts = environment()
    pictures = PhotoPictures(parent)
    done = 0
    with connected(task.asked) as backends:
        results = measure_set(
            plan, photos, backends, parent.cancel, limits=task.limits, read=_read_in_turn(parent)
        )
        for result in results:
            done += 1
            pictures.send(result)
            parent.send(Result("photo", to_dict(result)))
    is_cancelled, is_done = parent.cancel.is_set(), done == len(photos.photos)
    state = "done" if is_done else "cancelled" if is_cancelled else "failed"
    parent.send(Ended(state, facts, to_dict(SILENT) if state == "failed" else None))


class PhotoPictures:
    """Sends small pictures of photos, between the requests of one photo and of the next.

    The first ones get one, which are a random sample as the order is random; later only those that flipped.
    """

    def __init__(self, parent: Parent):
        self._parent = parent
        self._seen = self._bytes = 0

    def send(self, result: PhotoResult) -> None:
        """The picture of one photo, unless it has none or there are enough."""
        self._seen += 1
        is_wanted = self._seen <= ALWAYS_SHOWN or has_flipped(result)
        if result.data and is_wanted and self._bytes < MOST_PICTURE_BYTES:
            self._bytes += send_picture(self._parent, result.picture_key, result.data, PHOTO_SIDE_PX)


def _read_in_turn(parent: Parent) -> Callable[[bytes, str, Limits], SourceImage]:
    """read_image(), but for a large photo it waits until no other run decodes one."""

    def read(data: bytes, name: str, limits: Limits) -> SourceImage:
        if not are_large([data], name, limits):
            return read_image(data, name, limits)
        await_turn(parent)
        try:
            return read_image(data, name, limits)
        finally:
            parent.send(LargePhotoDone())

    return read


def _photos(job: PhotoSetJob) -> PhotoSet:
    labels = LabelsCsv(job.labels[0], labels_in(job.labels[1], job.labels[0])) if job.labels else None
    found = photo_set_in(_place(job), labels, job.most_labels_bytes)
    if len(found.photos) > job.most_photos:
        why = too_many_photos(found.name, len(found.photos), job.most_photos)
        raise PixelcostError(why, "too_many_files", 422)
    if job.true_label is None:
        return found
    photos = tuple(replace(photo, label=job.true_label) for photo in found.photos)
    return replace(found, photos=photos, missing=(), given_labels=None)


def _place(job: PhotoSetJob) -> Place:
    folder = Path(job.folder)
    if len(job.files) > 1:
        return UploadedPhotos(job.name, folder, job.files)
    (file,) = job.files.values()
    return Archive(folder / file, job.name, ENTRIES_PER_PHOTO * job.most_photos)


class UploadedPhotos:
    """A Place of a photo set: uploaded files. `files` maps photo names to file names in `folder`."""

    def __init__(self, name: str, folder: Path, files: Mapping[str, str]):
        self.name = name
        self._paths = {name: folder / file for name, file in files.items()}
        self._sizes = {name: path.stat().st_size for name, path in self._paths.items()}

    def sizes(self) -> Mapping[str, int]:
        """Name -> bytes."""
        return self._sizes

    def file(self, name: str) -> FileOnDisk:
        """One photo."""
        path = self._paths[name]
        return FileOnDisk(str(path.parent), path.name)
