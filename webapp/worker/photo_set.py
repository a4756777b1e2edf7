"""A run over many photos, in the timing process: photo after photo from files on disk.

in:   worker.py's job with "photos": {"folder":…, "files":{name: file in the folder} or that of one ZIP file,
          "labels":null or [name, text of a CSV], "model":…}
out:  accepted | refused, then photo…, end; before a large photo large, answered with "read", and then made
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiment.backends.connect import connect
from experiment.codec import to_dict
from experiment.errors import PixelcostError
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.variants import most_variants
from experiment.measure.environment import environment
from experiment.measure.schedule import planned_requests
from experiment.photo_sets.journal import header_of
from experiment.photo_sets.label_files import labels_in
from experiment.photo_sets.listing import LabelsCsv, PhotoSet, photo_set_in
from experiment.photo_sets.places import Archive, Place
from experiment.photo_sets.run import SILENT, measure_set
from experiment.records import BackendInfo, Plan, SourceImage
from webapp.worker.large_photos import are_large, await_turn
from webapp.worker.pipe import Commands, Events

# Folders, and what systems put beside photos: macOS packs a second file with each of them.
ENTRIES_PER_PHOTO = 10


def run_set(
    events: Events, commands: Commands, job: Mapping[str, Any], plan: Plan, backends: Sequence[BackendInfo]
) -> None:
    """List the photos, announce the run, wait for "go", measure, say how it ended."""
    present = [info for info in backends if info.state != "absent"]
    try:
        photos = _photos(job)
    except PixelcostError as refusal:
        events.send("refused", code=refusal.code, message=refusal.message, http_status=refusal.http_status)
        return
    header = header_of("", time.time(), photos, plan, backends, {}, job["photos"]["model"])
    once = planned_requests(replace(plan, warmups=0, split_decode=False), most_variants(plan), present)
    events.send(
        "accepted",
        source={"photo_set": to_dict(header)},
        skipped_sizes_px=(),
        requests_planned=once * len(photos.photos),
    )
    commands.go.wait()
    facts = environment()
    done = 0
    with ExitStack() as stack:
        connected = [stack.enter_context(closing(connect(info))) for info in present]
        limits, read = Limits(**job["limits"]), _in_turn(events, commands)
        for result in measure_set(plan, photos, connected, commands.cancel, limits=limits, read=read):
            done += 1
            events.send("photo", photo=to_dict(result))
    is_complete = done == len(photos.photos)
    state = "done" if is_complete else "cancelled" if commands.cancel.is_set() else "failed"
    failure = to_dict(SILENT) if state == "failed" else None
    events.send("end", state=state, environment=facts, failure=failure)


def _in_turn(events: Events, commands: Commands) -> Callable[[bytes, str, Limits], SourceImage]:
    """read_image(), but a large photo waits until no other run decodes one."""

    def read(data: bytes, name: str, limits: Limits) -> SourceImage:
        if not are_large([data], name, limits):
            return read_image(data, name, limits)
        await_turn(events, commands)
        try:
            return read_image(data, name, limits)
        finally:
            events.send("made")

    return read


def _photos(job: Mapping[str, Any]) -> PhotoSet:
    """Raises PixelcostError when there are none, or too many."""
    told = job["photos"]
    labels = None
    if told["labels"] is not None:
        name, text = told["labels"]
        labels = LabelsCsv(name, labels_in(text, name))
    found = photo_set_in(_place(job["name"], told), labels, told["most_labels_bytes"])
    if len(found.photos) > told["most_photos"]:
        raise PixelcostError(
            f"{found.name} holds {len(found.photos):,} photos; the limit is {told['most_photos']:,}. "
            "Send fewer, raise PIXELCOST_MAX_PHOTOS, or use the command line: python -m experiment --photos.",
            "too_many_files",
            422,
        )
    if job["true_label"] is None:
        return found
    photos = tuple(replace(photo, label=job["true_label"]) for photo in found.photos)
    return replace(found, photos=photos, missing=(), given_labels=None)


def _place(name: str, told: Mapping[str, Any]) -> Place:
    folder, files = Path(told["folder"]), told["files"]
    if len(files) > 1:
        return UploadedPhotos(name, folder, files)
    (file,) = files.values()
    return Archive(folder / file, name, ENTRIES_PER_PHOTO * told["most_photos"])


class UploadedPhotos:
    """The photos of an upload, as a place of a photo set: the name of each, and its file in `folder`."""

    def __init__(self, name: str, folder: Path, files: Mapping[str, str]):
        self.name = name
        self._paths = {name: folder / file for name, file in files.items()}
        self._sizes = {name: path.stat().st_size for name, path in self._paths.items()}

    def sizes(self) -> Mapping[str, int]:
        """Name -> bytes."""
        return self._sizes

    def read(self, name: str, max_bytes: int) -> bytes:
        """One photo's bytes. Raises OSError, also for one that is larger than `max_bytes`."""
        if self._sizes[name] > max_bytes:
            raise OSError(f"it is larger than {max_bytes:,} bytes")
        return self._paths[name].read_bytes()
