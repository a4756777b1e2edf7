"""Which photo a row of a CSV of labels means, where both were named on different systems.

Leading folders differ most: "C:/data/set/cat/a.jpg" in the CSV is "cat/a.jpg" in the set. So a
row belongs to the photo with which its path has the longest common end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile
from typing import NamedTuple

AFTER_ALL = "\U0010ffff"
NO_SUCH_PHOTO = "there is no such photo"


class Unused(NamedTuple):
    """A row that labels no photo, and why."""

    file: str
    why: str


def matched(labels: Mapping[str, str], names: Collection[str]) -> tuple[dict[str, str], list[Unused]]:
    """Label by photo, and the rows that name no photo, or no single one.

    `labels` are by file. All names have passed clean_path(). A row counts when it and the photo
    agree in the photo's whole path, or in all of the row's path but the folders that all rows are in.
    """
    ends = _Ends(names)
    shared = _shared_folders(labels)
    claims: dict[str, list[tuple[int, str]]] = {}
    unused = []
    for file in labels:
        common, name, count = ends.nearest(file)
        if common == 0 or common < min(_parts(file) - shared, _parts(name)):
            unused.append(Unused(file, NO_SUCH_PHOTO))
        elif count > 1:
            unused.append(Unused(file, f"it could be any of {count:,} photos"))
        else:
            claims.setdefault(name, []).append((common, file))
    by_photo = {}
    for name, rows in claims.items():
        longest = max(common for common, _ in rows)
        nearest = [file for common, file in rows if common == longest]
        unused.extend(Unused(file, NO_SUCH_PHOTO) for common, file in rows if common < longest)
        if len({labels[file] for file in nearest}) == 1:
            by_photo[name] = labels[nearest[0]]
        else:
            unused.extend(Unused(file, f"another row gives {name} a different label") for file in nearest)
    return by_photo, unused


class _Ends:
    """Paths, to be found by their ends."""

    def __init__(self, names: Iterable[str]):
        self._names = {_backwards(name): name for name in names}
        self._keys = sorted(self._names)
        self._last_parts = {key.partition("/")[0] for key in self._keys}

    def nearest(self, path: str) -> tuple[int, str, int]:
        """How many parts the longest common end has, the first name that has it, and how many have.

        A name that is that end as a whole comes before all longer ones.
        """
        if path.rpartition("/")[2] not in self._last_parts:
            return 0, "", 0
        wanted = _backwards(path)
        at = bisect_left(self._keys, wanted)
        neighbours = self._keys[max(0, at - 1) : at + 1]
        parts = wanted.split("/")
        common = max((_same(parts, key.split("/")[:-1]) for key in neighbours), default=0)
        end = "".join(f"{part}/" for part in parts[:common])
        if not end or end in self._names:
            return common, self._names.get(end, ""), min(common, 1)
        first, behind = (bisect_left(self._keys, key) for key in (end, end + AFTER_ALL))
        return common, self._names[self._keys[first]], behind - first


def _backwards(path: str) -> str:
    """ "cat/a.jpg" -> "a.jpg/cat/", so that names with a common end stand beside each other when sorted."""
    return "".join(f"{part}/" for part in reversed(path.split("/")))


def _same(one: Iterable[str], other: Iterable[str]) -> int:
    """How many parts are the same, from the first on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _parts(path: str) -> int:
    return path.count("/") + 1


def _shared_folders(files: Iterable[str]) -> int:
    """How many leading folders all of them lie in."""
    folders = [file.split("/")[:-1] for file in files]
    return _same(min(folders), max(folders)) if folders else 0
