"""What a caller passes as one input of a job: an image, numbers, texts, a sparse tensor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiment.errors import PixelcostError
from experiment.images.header import read_header
from experiment.images.png import encode_png
from jobs.wire.arrow import BadArrow, Value, dense
from jobs.wire.reader import image_in


class BadInput(PixelcostError):
    """What was passed can't be sent. The message says what can."""

    code = "bad_input"
    http_status = 422


def as_input(name: str, value: Any) -> Value:
    """The value as it is sent. Raises BadInput, and ImageRefused for an image that no worker would read.

    A text is the path of an image; {"path": ...}, {"b64": ...} and bytes are images too. An array is numbers,
    a list of texts is texts, a list of three arrays is a sparse tensor: places, values, shape.
    """
    if isinstance(value, str | Path | bytes) or (isinstance(value, Mapping) and {"path", "b64"} & set(value)):
        return as_image(value)
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return np.array(value, object)
    if isinstance(value, list) and value and all(isinstance(each, np.ndarray) for each in value):
        return _sparse(name, value)
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.array(None, object)
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind not in "biuf" or not array.size:
        raise BadInput(
            f"The input {name} can't be sent: it is {_kind(value)}. Pass an array of numbers, a list "
            "of texts, a sparse tensor [places, values, shape], or an image: a path, "
            '{"path": ...} or {"b64": ...}.'
        )
    return array


def text_input(text: str) -> list[str] | bytes:
    """A text in JSON, which is an image in base64 or a text, and never a path."""
    return image_in(text) or [text]


def as_image(value: Any) -> bytes:
    """An image's own bytes: of a path, {"path": ...}, {"b64": ...}, bytes, or an array as OpenCV has it
    (uint8, blue first), which becomes a PNG. Raises BadInput, ImageRefused."""
    if isinstance(value, Mapping) and "path" in value:
        value = value["path"]
    elif isinstance(value, Mapping) and "b64" in value:
        return _checked(_decoded(value["b64"]), "The image")
    if isinstance(value, np.ndarray):
        return _png(value)
    if isinstance(value, bytes):
        return _checked(value, "The image")
    if not isinstance(value, str | Path):
        raise BadInput(f"This is not an image: {_kind(value)}. Pass a path, bytes, or an array of pixels.")
    try:
        data = Path(value).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"The image {value} can't be read: {reason}.") from None
    return _checked(data, Path(value).name)


def _checked(data: bytes, name: str) -> bytes:
    read_header(data, name)
    return data


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadInput("The image under `b64` is not base64.") from None


def _png(pixels: np.ndarray) -> bytes:
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (is_colour or pixels.ndim == 2) or not pixels.size:
        raise BadInput(
            "An image as an array is uint8 of shape [height, width, 3] or [height, width], not "
            f"{_kind(pixels)}."
        )
    rgb = pixels[:, :, ::-1] if is_colour else pixels
    return encode_png(Image.fromarray(np.ascontiguousarray(rgb)).convert("RGB"))


def _sparse(name: str, parts: list[np.ndarray]) -> np.ndarray:
    if len(parts) != 3:
        raise BadInput(
            f"The input {name} is a list of {len(parts)} arrays; "
            "a sparse tensor has 3: places, values, shape."
        )
    places, values, shape = parts
    if not all(part.dtype.kind in "biuf" for part in parts):
        raise BadInput(f"The sparse input {name} has parts that are not numbers.")
    sides = [int(side) for side in shape.ravel()]
    named = {
        "data": values.ravel(),
        "indiceData": places.astype(np.int64).ravel(),
        "indiceShape": np.array(places.shape),
    }
    if min(sides, default=0) < 0:
        raise BadInput(f"The sparse input {name} has the shape {sides}.")
    try:
        return dense(name, named, sides)
    except BadArrow as error:
        raise BadInput(str(error)) from None


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {list(value.shape)}"
    return "an empty list" if isinstance(value, list) and not value else f"a {type(value).__name__}"
