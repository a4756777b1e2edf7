"""AVIF and HEIC. Not every model server reads them, so they are never sent as uploaded or cut."""

from __future__ import annotations

from experiment.photo_files.boxes import main_picture
from experiment.photo_files.contents import Contents


def contents(data: bytes, name: str) -> Contents:
    """Without EXIF and ICC: the decoders hand these out, and obey the boxes `irot` and `imir`."""
    return Contents(data, coded_colours=main_picture(data, name).colours)
