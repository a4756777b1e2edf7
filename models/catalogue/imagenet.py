"""ImageNet's 1000 classes in the order of ILSVRC 2012, which is that of the scores: sorted by WordNet id.

`imagenet_labels.txt` has one line per class, separated by tabs: WordNet 3.0 id, label, all WordNet names.
The label is the first name; if two classes share it (ignoring upper and lower case), a word in brackets is
added: "crane (bird)" and "crane (machine)".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABELS = Path(__file__).with_name("imagenet_labels.txt")


@dataclass(frozen=True)
class ImageNetClass:
    """One class: a line of the file."""

    wordnet_id: str
    label: str
    names: tuple[str, ...]


def classes() -> list[ImageNetClass]:
    """All 1000, in the order of the scores."""
    lines = LABELS.read_text(encoding="utf-8").splitlines()
    parts = (line.split("\t") for line in lines)
    return [ImageNetClass(number, label, tuple(names.split(", "))) for number, label, names in parts]


def labels() -> list[str]:
    """The label of each class. No two are the same."""
    return [imagenet_class.label for imagenet_class in classes()]


def card_sections() -> dict[str, Any]:
    """The sections about labels on the card of a model with these classes."""
    known = classes()
    return {
        "knows": "the 1000 classes of ImageNet",
        "classes": len(known),
        "labels_note": "The first name of each ImageNet class; in brackets what distinguishes those alike.",
        "labels": [imagenet_class.label for imagenet_class in known],
        "wnids": [imagenet_class.wordnet_id for imagenet_class in known],
    }
