"""What the users send: distinct images or rows of numbers, and how a request is built from them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from experiment.backends.model_spec import InputSpec
from experiment.records import BackendInfo
from loadtest.payloads import images, numbers
from loadtest.payloads.distinct import distinct_copy
from loadtest.payloads.files import read_images
from loadtest.records import Payload

DISTINCT = 64  # copies of one image, generated images, or rows
GENERATED_PX = 224


@dataclass(frozen=True)
class Inputs:
    """Single inputs that are sent in turn: encoded images, or rows of numbers of the model's type."""

    info: BackendInfo
    items: Sequence[Any]  # bytes, or arrays
    names: tuple[str, ...]
    spec: InputSpec | None = None  # None: images

    def body(self, number: int, batch: int) -> bytes:
        """The request that starts with item `number`: a serialised message, or JSON for REST."""
        chosen = [self.items[(number + step) % len(self.items)] for step in range(batch)]
        is_rest = self.info.protocol == "rest"
        if self.spec is None:
            return (images.rest_body if is_rest else images.grpc_body)(self.info, chosen)
        return (numbers.rest_body if is_rest else numbers.grpc_body)(self.info, self.spec, np.stack(chosen))

    def payload(self, batch: int) -> Payload:
        """All requests, as load.json describes them."""
        bodies = tuple(self.body(number, batch) for number in range(len(self.items)))
        return Payload("numbers" if self.spec else "image", bodies, self.names, batch)


def image_inputs(info: BackendInfo, paths: Sequence[Path]) -> Inputs:
    """The images of files, folders and ZIP files; one becomes DISTINCT copies with the same pixels.

    Without paths, DISTINCT generated JPEGs. Raises LoadRefused or ImageRefused.
    """
    if not paths:
        made = [_generated(number) for number in range(DISTINCT)]
        return Inputs(info, made, tuple(f"generated {number}" for number in range(DISTINCT)))
    found = read_images(paths)
    if len(found) == 1:
        return Inputs(
            info,
            [distinct_copy(found[0].data, number) for number in range(DISTINCT)],
            (found[0].name,) * DISTINCT,
        )
    return Inputs(info, [image.data for image in found], tuple(image.name for image in found))


def number_inputs(info: BackendInfo, spec: InputSpec, batch: int) -> Inputs:
    """DISTINCT rows of the shape and type that the model takes, to be sent `batch` at a time.

    Raises LoadRefused.
    """
    numbers.numbers_payload(info, spec, batch, 1, 0)  # refuses what can't be made
    shape, kind = numbers.row_shape(info, spec, batch, None), numbers.TYPES[spec.dtype]
    draw = np.random.default_rng(0)
    rows = [numbers.random_values(draw, shape, kind) for _ in range(DISTINCT)]
    return Inputs(info, rows, tuple(f"row {number}" for number in range(DISTINCT)), spec)


def _generated(number: int) -> bytes:
    """A JPEG of soft colours, as large as a photo of its size."""
    coarse = np.random.default_rng(number).integers(0, 256, (28, 28, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((GENERATED_PX, GENERATED_PX), Image.Resampling.BICUBIC).save(
        buffer, "JPEG"
    )
    return buffer.getvalue()
