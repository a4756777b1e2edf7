"""Class labels: whether two names mean the same thing, and which of a model's labels a name stands for.

People label photos "tabby", "Tabby cat", "tiger_cat", or with a WordNet id. A model answers in its own words,
often a list of synonyms: "tabby, tabby cat".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from unicodedata import normalize


def same_thing(label: str, true_label: str) -> bool:
    """Whether two names mean the same: case and underscores don't matter, and one common synonym is enough.

    >>> same_thing("tiger_cat", "Tiger cat, Felis tigrina")
    True
    """
    return bool(_names(label) & _names(true_label))


class Vocabulary:
    """The labels that a model can answer, and other names for them.

    `labels` are the model's own, empty if they are not known. `names` maps an id or another name to a label:
    {"n02123045": "tabby, tabby cat"}.
    """

    def __init__(self, labels: Iterable[str] = (), names: Mapping[str, str] | None = None):
        self._labels = list(dict.fromkeys(labels))
        self._names = {_plain(name): label for name, label in (names or {}).items()}
        self._found: dict[str, str | None] = {}

    @property
    def is_known(self) -> bool:
        """Whether the model's labels are known at all."""
        return bool(self._labels)

    def own_label(self, name: str) -> str | None:
        """The model's label that `name` stands for; None if no label fits, or several.

        The whole text counts most, then its first synonym, then any synonym: "missile" and "projectile,
        missile" are two classes of ImageNet. If the model's labels are not known: `name`, or what it is
        mapped to.
        """
        if name not in self._found:
            wanted = self._names.get(_plain(name), name)
            self._found[name] = self._matching(wanted) if self.is_known else wanted
        return self._found[name]

    def is_right(self, label: str, own_label: str) -> bool:
        """Whether `label`, which a model answered, is the `own_label` that own_label() returned."""
        return _plain(label) == _plain(own_label) if self.is_known else same_thing(label, own_label)

    def _matching(self, wanted: str) -> str | None:
        for part, labels_by_name in self._by_part:
            found = {label for name in part(wanted) for label in labels_by_name.get(name, ())}
            if found:
                return found.pop() if len(found) == 1 else None
        return None

    @cached_property
    def _by_part(self) -> list[tuple[Callable[[str], set[str]], dict[str, list[str]]]]:
        """Ways to take a label apart, the surest first, and for each name -> labels."""
        rows: list[tuple[Callable[[str], set[str]], dict[str, list[str]]]] = []
        for part in (_whole, lambda label: {_plain(label).partition(",")[0].strip()} - {""}, _names):
            labels_by_name: dict[str, list[str]] = {}
            for label in self._labels:
                for name in part(label):
                    labels_by_name.setdefault(name, []).append(label)
            rows.append((part, labels_by_name))
        return rows


def vocabulary_of(card: Mapping[str, object], names: Mapping[str, str] | None = None) -> Vocabulary:
    """The vocabulary of a model by its card: `labels`, and in `wnids` the WordNet id of each of them."""
    labels, ids = _texts(card.get("labels")), _texts(card.get("wnids"))
    by_id = dict(zip(ids, labels, strict=False)) if len(ids) == len(labels) else {}
    return Vocabulary(labels, by_id | dict(names or {}))


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list | tuple) else []


def _plain(label: str) -> str:
    """Lower case, in NFC, with single spaces for underscores: "Tiger_cat" -> "tiger cat"."""
    folded = normalize("NFC", normalize("NFC", label).casefold())
    return " ".join(folded.replace("_", " ").split())


def _whole(label: str) -> set[str]:
    """The whole text; "maillot (tank suit)" also as "maillot, tank suit", as other lists write it."""
    plain = _plain(label)
    return {plain, re.sub(r" \((.+)\)$", r", \1", plain)} - {""}


def _names(label: str) -> set[str]:
    plain = _plain(label)
    return {name for name in (plain, *(part.strip() for part in plain.split(","))) if name}
