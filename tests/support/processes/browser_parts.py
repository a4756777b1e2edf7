"""A request with variants as a browser makes them: PNG as RGBA, JPEG as 4:2:0. Made with Pillow, honestly."""

from __future__ import annotations

import io
import json
from typing import Any

import requests
from PIL import Image

from experiment.images.resize import scaled
from tests.support.odd_photos import encoded, photo

PHOTO = photo(120, 80)
PLAN = {"sizes_px": [96, 48], "formats": ["png", "jpeg"], "repeats": 6, "warmups": 1, "resize_in": "browser"}


def original() -> bytes:
    """The photo itself."""
    return encoded(PHOTO, "PNG")


def made(size_px: int, kind: str, image: Image.Image = PHOTO) -> bytes:
    """A copy as a browser sends it, resized by another filter than the server's."""
    copy = image.resize(scaled(*image.size, size_px), Image.Resampling.BICUBIC)
    if kind == "png":
        return encoded(copy.convert("RGBA"), "PNG")
    return encoded(copy, kind.upper(), quality=85)


def told(size_px: int, kind: str, engine: str = "pica", **more: Any) -> dict[str, Any]:
    """What a page says of such a copy."""
    quality = None if kind == "png" else 85
    stages = {"decode_ms": 9.5, "resize_ms": 20.1, "encode_ms": 3.2}
    encoder = f"{engine} 1.0, Browser 99 canvas encoder"
    row = {"format": kind, "size_px": size_px, "quality": quality, "engine": engine, "encoder": encoder}
    return {**row, **stages, "canvas_noise": False, **more}


def all_of(engine: str = "pica", **more: Any) -> list[tuple[dict[str, Any], bytes]]:
    """Every variant of PLAN by one engine, with its bytes."""
    kinds = [(size_px, kind) for size_px in PLAN["sizes_px"] for kind in PLAN["formats"]]
    return [(told(*each, engine, **more), made(*each)) for each in kinds]


def post(
    url: str,
    variants: list[tuple[dict[str, Any], bytes]],
    plan: dict[str, Any] | None = None,
    photo_bytes: bytes | None = None,
    query: str = "?variants=browser",
    rows: list[dict[str, Any]] | None = None,
    **fields: str,
) -> requests.Response:
    """POST /api/runs, with the original or without."""
    parts = [("variant", (f"{number}.bin", data)) for number, (_, data) in enumerate(variants)]
    if photo_bytes is not None:
        parts.append(("file", ("cat.png", photo_bytes)))
    told_rows = [row for row, _ in variants] if rows is None else rows
    form = {"plan": json.dumps({**PLAN, **(plan or {})}), "variants": json.dumps(told_rows)}
    return requests.post(f"{url}/api/runs{query}", files=parts, data={**form, **fields}, timeout=60)


def image_of(data: bytes) -> Image.Image:
    """Decoded."""
    return Image.open(io.BytesIO(data))
