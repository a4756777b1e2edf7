"""Photos to submit."""

from __future__ import annotations

import io

from PIL import Image


def png(side_px: int = 8, colour: int = 90) -> bytes:
    """A small picture; another colour is another photo."""
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (colour, 120, 150)).save(buffer, "PNG")
    return buffer.getvalue()
