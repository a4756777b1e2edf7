"""The small pictures of runs, as they are stored: a few kB each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update

from experiment.codec import to_dict
from experiment.records import PHOTO_PICTURE, Thumb
from webapp.store.sample import sample_pictures
from webapp.store.tables import follow_ups, runs, thumbs


class StoredThumbs:
    """Pictures by their keys. Safe to use from several threads.

    Those of a run's follow-ups count as its own; the follow-up is stored under an id that only it has.
    """

    def __init__(self, engine: Engine):
        self._engine = engine

    def add(self, run_id: str, key: str, picture: Thumb) -> None:
        """Store one; its bytes count as the run's."""
        with self._engine.begin() as connection:
            add_thumbs(connection, run_id, {key: picture})
            grown = update(runs).values(size_bytes=runs.c.size_bytes + len(picture.data))
            connection.execute(grown.where(runs.c.id == run_id))

    def get(self, run_id: str, key: str) -> Thumb | None:
        """The picture of a run with that key; None: there is none."""
        if (packaged := sample_pictures(run_id)) is not None:
            return packaged.get(key)
        query = select(*_PICTURE).where(_is_of(run_id), thumbs.c.key == key).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Thumb(*row)

    def keys(self, run_id: str) -> list[str]:
        """The keys of a run's pictures but those of a set's photos, in order of the alphabet."""
        if (packaged := sample_pictures(run_id)) is not None:
            return sorted(packaged)
        query = select(thumbs.c.key).where(_is_of(run_id), ~_IS_PHOTO)
        with self._engine.connect() as connection:
            return sorted(set(connection.scalars(query)))

    def photo_keys(self, run_id: str) -> set[str]:
        """The keys of the pictures of a set's photos."""
        query = select(thumbs.c.key).where(thumbs.c.run_id == run_id, _IS_PHOTO)
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    def all(self, run_id: str) -> dict[str, Thumb]:
        """The pictures of keys(), by their keys."""
        if (packaged := sample_pictures(run_id)) is not None:
            return dict(packaged)
        query = select(thumbs.c.key, *_PICTURE).where(_is_of(run_id), ~_IS_PHOTO)
        with self._engine.connect() as connection:
            return {row[0]: Thumb(*row[1:]) for row in connection.execute(query)}


def add_thumbs(connection: Connection, run_id: str, pictures: Mapping[str, Thumb]) -> None:
    """Store pictures of a run in a transaction of the caller's, who counts their bytes."""
    rows: list[dict[str, Any]] = [
        {"run_id": run_id, "key": key, **to_dict(picture), "data": picture.data}
        for key, picture in pictures.items()
    ]
    if rows:
        connection.execute(insert(thumbs), rows)


_IS_PHOTO = thumbs.c.key.startswith(PHOTO_PICTURE, autoescape=True)
_PICTURE = (thumbs.c.media_type, thumbs.c.width_px, thumbs.c.height_px, thumbs.c.data)


def _is_of(run_id: str) -> ColumnElement[bool]:
    """Whether a picture is one of the run's or of its follow-ups'."""
    their = select(follow_ups.c.run_id).where(follow_ups.c.of_run == run_id)
    return (thumbs.c.run_id == run_id) | thumbs.c.run_id.in_(their)
