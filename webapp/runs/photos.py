"""The answers of photo sets, photo by photo: read from the events once, then kept small."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from experiment.codec import from_dict
from experiment.photo_sets.explore.photo_index import PhotoIndex
from experiment.photo_sets.journal import SetHeader, vocabularies_of
from experiment.photo_sets.photo_result import PhotoResult
from webapp.store.store import Store

KEPT: Final = 2  # sets; each takes about 2 MB for 1,000 photos with 31 variants on 2 backends
PAGE_EVENTS: Final = 25  # held at a time; one takes about 50 kB with as many variants


class SetPhotos:
    """Finds the index of a set, which grows with its run. Safe to use from several threads."""

    def __init__(self, store: Store):
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Growing] = OrderedDict()

    @contextmanager
    def index(self, run_id: str) -> Iterator[PhotoIndex | None]:
        """Every photo so far, for a short while; None: the run is of one photo.

        Events never change, so only new ones are read.
        """
        with self._lock:
            growing = self._kept.setdefault(run_id, _Growing())
            self._kept.move_to_end(run_id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            growing.read(self._store, run_id)
            yield growing.index


class _Growing:
    """The index of one run, up to its event `seq`."""

    def __init__(self) -> None:
        self.index: PhotoIndex | None = None
        self._seq = 0

    def read(self, store: Store, run_id: str) -> None:
        """Take in what happened since the last time."""
        while page := store.events(run_id, self._seq, PAGE_EVENTS, with_scores=True):
            for event in page:
                if event.kind == "source":
                    self._begin(json.loads(event.data))
                elif event.kind == "photo" and self.index is not None:
                    self.index.add(from_dict(PhotoResult, json.loads(event.scores or "{}")))
            self._seq = page[-1].seq

    def _begin(self, source: dict[str, object]) -> None:
        if isinstance(source.get("photo_set"), dict):
            header = from_dict(SetHeader, source["photo_set"])  # type: ignore[arg-type]
            self.index = PhotoIndex(vocabularies_of(header))
