"""How much may come in one request with variants that a browser made."""

from __future__ import annotations

PHOTOS_WORTH = 5  # the original, and four times as much for its copies: PNG and RGBA make them large


def upload_limit(photo_limit_bytes: int) -> int:
    """The photo and all variants together, in bytes."""
    return PHOTOS_WORTH * photo_limit_bytes
