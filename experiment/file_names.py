"""Names of files, the same whoever wrote them: separators, Unicode's normal form, what can't be shown.

A set is named on one system, packed on a second and labelled on a third. All names pass through
here before they are compared, shown or stored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

MOST_PART_CHARACTERS = 200  # of each part of a path; ImageNet's longest label has 131
LONGEST_PLAIN_NAME = 80  # characters of a file's name in a sentence
KEPT_END_CHARACTERS = 10  # of a part that is cut: its ending tells what it is
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")  # is clean; a CSV may hold a million of them
JOINERS = frozenset("\u200c\u200d")  # words of some scripts, and emoji, need them
UNSHOWN = frozenset({"Cc", "Cf", "Zl", "Zp"})  # control, format (also of direction), ends of lines
# What systems put beside photos; lower case. The page has it from /api/config.
SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "system volume information"),
        *("$recycle.bin", "#recycle", "@recycle", "@eadir", "lost+found"),
    }
)


def printable(text: str) -> str:
    """On one line and in NFC, with plain spaces, without what only changes how the rest is shown.

    What is no text (a lone surrogate, Python's sign for bytes that are not UTF-8) becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = (_shown(char) for char in text)
    return unicodedata.normalize("NFC", "".join(kept))


def _shown(char: str) -> str:
    if char.isprintable() or char in JOINERS:
        return char
    category = unicodedata.category(char)
    return " " if category == "Zs" else "" if category in UNSHOWN else "\ufffd"


def clean_path(text: str) -> str:
    """A file's path with slashes, however it was written: no way out, no drive's root, all printable."""
    if PLAIN_NAME.fullmatch(text):
        return text
    parts = [printable(part).strip() for part in text.replace("\\", "/").split("/")]
    return "/".join(_cut(part) for part in parts if part not in {"", ".", ".."}) or "photo"


def _cut(part: str) -> str:
    if len(part) <= MOST_PART_CHARACTERS:
        return part
    return part[: MOST_PART_CHARACTERS - KEPT_END_CHARACTERS] + part[-KEPT_END_CHARACTERS:]


def plain_name(name: str) -> str:
    """The file's name without folders and unprintable characters, at most 80 characters."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(char for char in last if char.isprintable()).strip()
    if len(shown) > LONGEST_PLAIN_NAME:
        shown = shown[: LONGEST_PLAIN_NAME - 13] + "..." + shown[-10:]
    return shown or "The file"


def unique(names: Iterable[str]) -> list[str]:
    """Files of the same name are told apart: "a.jpg", "a (2).jpg"."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    found = []
    for name in names:
        new = name
        while new in taken:
            numbers[name] = numbers.get(name, 1) + 1
            path = PurePosixPath(name)
            new = path.with_stem(f"{path.stem} ({numbers[name]})").as_posix()
        taken.add(new)
        found.append(new)
    return found


def is_systems_own(path: str) -> bool:
    """Whether no person put it there: ".DS_Store", "__MACOSX/._cat.jpg", "@eaDir/cat.jpg"."""
    return any(part.startswith(".") or part.casefold() in SYSTEM_NAMES for part in path.split("/"))
