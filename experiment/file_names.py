"""Names of files, made comparable: separators, Unicode's normal form, characters that can't be shown.

A photo set may be named on one system, zipped on a second and labelled on a third. All names pass through
here before they are compared, shown or stored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

MOST_PART_CHARACTERS = 200  # in each part of a path; ImageNet's longest label has 131
LONGEST_PLAIN_NAME = 80  # characters of a file's name in a sentence
KEPT_END_CHARACTERS = 10  # at the end of a name that is cut, for its extension
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")  # clean already; a CSV may hold a million
JOINERS = frozenset("\u200c\u200d")  # words of some scripts, and emoji, need them
UNSHOWN = frozenset({"Cc", "Cf", "Zl", "Zp"})  # control, format (also of direction), ends of lines
# Files that operating systems put beside photos, in lower case. The page has the list from /api/config.
SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "system volume information"),
        *("$recycle.bin", "#recycle", "@recycle", "@eadir", "lost+found"),
    }
)


def printable(text: str) -> str:
    r"""The text on one line, in NFC, with plain spaces, without control and direction characters.

    A lone surrogate, which Python makes of bytes that are not UTF-8, becomes U+FFFD.

    >>> printable("two\u00a0cats\u202e.jpg\n")
    'two cats.jpg'
    """
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", "".join(map(_shown, text)))


def _shown(char: str) -> str:
    if char.isprintable() or char in JOINERS:
        return char
    category = unicodedata.category(char)
    return " " if category == "Zs" else "" if category in UNSHOWN else "\ufffd"


def clean_path(text: str) -> str:
    r"""A relative path with slashes and printable parts only: no "..", no leading slash, no empty part.

    >>> clean_path("..\\cats\\tom.jpg")
    'cats/tom.jpg'
    """
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
    """The names, with a number in every repeated one: "a.jpg", "a (2).jpg"."""
    found: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for name in names:
        new = name
        while new in found:
            numbers[name] = numbers.get(name, 1) + 1
            path = PurePosixPath(name)
            new = path.with_stem(f"{path.stem} ({numbers[name]})").as_posix()
        found[new] = None
    return list(found)


def is_systems_own(path: str) -> bool:
    """Whether an operating system put the file there: ".DS_Store", "__MACOSX/._cat.jpg", "@eaDir/cat.jpg"."""
    return any(part.startswith(".") or part.casefold() in SYSTEM_NAMES for part in path.split("/"))
