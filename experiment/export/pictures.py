"""The small pictures in an exported report: as base64, and read back from a file that anybody may have
changed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from experiment.codec import to_dict
from experiment.file_names import plain_name
from experiment.records import Thumb

ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")  # of a variant, or the key of a picture
MOST_PICTURES: Final = 2_000  # 500 variants, and the steps of searches
MOST_CHARACTERS: Final = 64_000  # of one picture as base64; ours have at most 20,000
MOST_IN_ALL: Final = 1_000_000  # characters; ours have at most 200,000
_STARTS: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "image/webp": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
    "image/jpeg": lambda data: data[:3] == b"\xff\xd8\xff",
    "image/png": lambda data: data[:8] == b"\x89PNG\r\n\x1a\n",
}


def with_pictures(report: Mapping[str, Any], pictures: Mapping[str, Thumb]) -> dict[str, Any]:
    """The exported report with its pictures in it, in place of `has_pictures`."""
    made = {key: value for key, value in report.items() if key != "has_pictures"}
    if not pictures:
        return made
    return made | {"pictures": picture_rows({key: pictures[key] for key in _in_order(made, pictures)})}


def picture_rows(pictures: Mapping[str, Thumb]) -> dict[str, Any]:
    """Pictures as JSON values, by their keys."""
    return {
        key: to_dict(picture) | {"base64": base64.b64encode(picture.data).decode()}
        for key, picture in pictures.items()
    }


def without_pictures(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report without anything about pictures."""
    return {key: value for key, value in report.items() if key not in {"pictures", "has_pictures"}}


def pictures_of(report: Mapping[str, Any]) -> dict[str, Thumb]:
    """The pictures in an exported report, as picture_problems() has accepted them; {}: it has none."""
    return pictures_in(report.get("pictures", {}))


def pictures_in(rows: Mapping[str, Any]) -> dict[str, Thumb]:
    """The pictures that picture_rows() wrote."""
    return {
        key: Thumb(row["media_type"], row["width_px"], row["height_px"], base64.b64decode(row["base64"]))
        for key, row in rows.items()
    }


def data_uri(picture: Thumb) -> str:
    """The picture as the address of an <img> that needs no network."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def picture_problems(report: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the pictures of a report that is valid by its schema, without decoding one."""
    pictures: Mapping[str, Mapping[str, Any]] = report.get("pictures", {})
    if len(pictures) > MOST_PICTURES:
        yield f"it has {len(pictures):,} pictures, and no report has more than {MOST_PICTURES:,}"
        return
    if sum(len(row["base64"]) for row in pictures.values()) > MOST_IN_ALL:
        yield "its pictures are larger than those of any report"
        return
    for key, row in pictures.items():
        if not ID.fullmatch(key):
            yield f"{plain_name(key)[:60]} is not a valid id of a picture"
        elif not _is_picture(row):
            yield f"pictures.{key} is not a small picture of the type that it names"


def _is_picture(row: Mapping[str, Any]) -> bool:
    try:
        data = base64.b64decode(row["base64"], validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(row["base64"]) <= MOST_CHARACTERS and _STARTS[row["media_type"]](data)


def _in_order(report: Mapping[str, Any], keys: Mapping[str, Any]) -> list[str]:
    """Variants in the report's order, then the others."""
    ids = [variant["id"] for variant in report["variants"] if variant["id"] in keys]
    return [*ids, *sorted(keys.keys() - set(ids))]
