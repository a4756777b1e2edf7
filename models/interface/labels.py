"""Finds the names of a model's classes: in a file, in the model itself, or ImageNet's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from models.catalogue import imagenet
from models.formats.label_files import names_in
from models.interface.wanted import Say, Wanted
from models.problems import ModelProblem

BACKGROUND = "background"
NEARLY_ALL = 0.9
BESIDE = ("*label*.txt", "*label*.pbtxt", "object-detection.pbtxt", "classes.txt")  # the last of old servers
WORDNET = re.compile(r"n\d{8}\s+")


def read_labels(file: Path) -> list[str]:
    """The labels in a file of any notation. Raises ModelProblem if it can't be read or is empty."""
    try:
        return _as_imagenet(plain_labels(names_in(file.read_bytes())))
    except (OSError, ValueError) as problem:
        raise ModelProblem(
            f"The labels in {file} can't be read: {str(problem).rstrip('.')}. Give one name a line in UTF-8, "
            "or JSON."
        ) from problem


def plain_labels(written: Sequence[str]) -> list[str]:
    """Labels without WordNet's ids; the first of several names, unless two classes share it.

    Raises ValueError if there are none.
    """
    names = [name.strip() for name in written]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ValueError("there are none")
    names = [WORDNET.sub("", name, count=1) for name in names]
    first = [name.split(",")[0].strip() for name in names]
    names = [name if first.count(short) > 1 else short for short, name in zip(first, names, strict=True)]
    twice = {name for name, times in Counter(names).items() if times > 1 or not name}
    return [f"{name} (class {index})".strip() if name in twice else name for index, name in enumerate(names)]


def labels_beside(model: Path) -> tuple[Path, ...]:
    """Files named as labels are in the folder of a model's file, or in a model's folder and beside it."""
    folders = [model, model.parent] if model.is_dir() else [model.parent]
    found = (file for folder in folders for name in BESIDE for file in sorted(folder.glob(name)))
    return tuple(file for file in found if file.is_file())


def label_count(wanted: Wanted, inside: Sequence[str]) -> int | None:
    """The number of labels that the user or the model's file gives; None if neither does."""
    return len(read_labels(wanted.labels)) if wanted.labels else len(inside) or None


def find_labels(wanted: Wanted, inside: Sequence[str], count: int, say: Say) -> list[str]:
    """`count` labels, one for every score; `inside` are those in the model's file.

    Raises ModelProblem if the user's or the file's labels are not as many.
    """
    if wanted.labels:
        return _fitting(read_labels(wanted.labels), str(wanted.labels), wanted, count, say)
    if inside:
        return _fitting(_as_imagenet(plain_labels(inside)), "the model's own file", wanted, count, say)
    for file in wanted.likely_labels:
        try:
            labels = read_labels(file)
        except ModelProblem as problem:
            say(f"skipped: {problem}")
            continue
        if count in (len(labels), len(labels) + 1):
            return _fitting(labels, f"{file}, beside the model", wanted, count, say)
        say(f"skipped: {file} has {len(labels)} labels for {count} scores")
    if count in (1000, 1001):
        say(f"assumed: {count} scores are ImageNet's classes in their usual order (--labels FILE)")
        return _fitting(imagenet.labels(), "ImageNet", wanted, count, say)
    say(f"assumed: labels 'class 0' to 'class {count - 1}', as none are known (--labels FILE)")
    return [f"class {index}" for index in range(count)]


def _fitting(labels: list[str], source: str, wanted: Wanted, count: int, say: Say) -> list[str]:
    """The labels, with BACKGROUND for row 0 if the model has one score more than labels."""
    has_background = len(labels) + 1 == count if wanted.background is None else wanted.background
    if has_background and len(labels) + 1 == count:
        say(f"labels: {len(labels)} from {source}, and '{BACKGROUND}' for row 0 of the {count} scores")
        return [BACKGROUND, *labels]
    if len(labels) != count:
        raise ModelProblem(
            f"The model gives {count} scores, but {source} has {len(labels)} labels. Give the right file "
            "with --labels, one name a line in the order of the scores."
        )
    say(f"labels: {count} from {source}")
    return labels


def _as_imagenet(labels: list[str]) -> list[str]:
    """A list of ImageNet's classes in the catalogue's spelling, so that models can be compared by label."""
    known = imagenet.classes()
    has_background = len(labels) == len(known) + 1
    names = labels[1:] if has_background else labels
    if len(names) != len(known):
        return labels
    same = sum(name in imagenet_class.names for name, imagenet_class in zip(names, known, strict=True))
    if same < NEARLY_ALL * len(known):
        return labels
    return [*labels[:has_background], *imagenet.labels()]
