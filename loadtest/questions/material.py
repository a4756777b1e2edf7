"""Material: what is sent to a model, as pictures or as numbers, each as often as it is needed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from experiment.backends.base import RequestFailed
from experiment.backends.model_spec import InputSpec, input_spec
from experiment.images.read import read_image
from experiment.records import BackendInfo
from loadtest.errors import LoadRefused
from loadtest.payloads.images import image_payload
from loadtest.payloads.numbers import TYPES, grpc_body, rest_body
from loadtest.questions.target import STATUS_TIMEOUT_S, Target
from loadtest.records import Payload

# The network of an embedded model without its decoding (models/image_model.py): the same picture as numbers.
PIXELS = ("classify_pixels", "pixels")
SMALL_PX = 512  # longest side of the copies for the question about caching: many are made
UNKNOWN_SIDE = 224  # of an image's shape that the model leaves open


@dataclass(frozen=True, slots=True)
class Material:
    """What one target is asked, and the inputs that take it. One of `picture_spec`, `number_spec` is set."""

    target: Target
    picture: bytes | None = field(repr=False)  # the file; None: the model takes numbers
    picture_spec: InputSpec | None  # takes encoded images; None: the model takes numbers
    number_spec: InputSpec | None  # takes numbers: the model's own input, or the same picture as pixels

    def asked(self, info: BackendInfo, spec: InputSpec) -> BackendInfo:
        """The backend with the signature and input of `spec`."""
        return replace(info, signature=spec.signature, input_key=spec.name)

    def payload(self) -> Payload:
        """The picture, or a row of numbers, one in each request."""
        info = self.target.info
        if self.picture_spec is not None and self.picture is not None:
            return image_payload(self.asked(info, self.picture_spec), [self.picture], ["the picture"])
        return Payload("numbers", tuple(self.distinct_bodies(1, seed=0)), ("numbers",))

    def distinct_bodies(self, count: int, seed: int) -> Iterator[bytes]:
        """Requests of the same cost, no two alike: neither as bytes nor in what they show."""
        info = self.target.info
        if self.picture_spec is not None and self.picture is not None:
            asked = self.asked(info, self.picture_spec)
            for picture in distinct_pictures(self.picture, count):
                yield image_payload(asked, [picture], ["picture"]).bodies[0]
            return
        assert self.number_spec is not None  # noqa: S101  one of the two is set
        encode = rest_body if info.protocol == "rest" else grpc_body
        for number in range(count):
            yield encode(info, self.number_spec, one_example(self.number_spec, seed + number))


def material_of(target: Target, file: bytes | None) -> Material:
    """What to send. Raises LoadRefused if the model takes pictures and there is none."""
    spec = target.spec()
    if spec.takes_numbers:
        check_type(spec)
        return Material(target, None, None, spec)
    if file is None:
        raise LoadRefused(f"The model of {target.name} takes pictures. Name one with --image FILE.")
    return Material(target, file, spec, _pixel_spec(target.info))


def check_type(spec: InputSpec) -> None:
    """Raises LoadRefused for a type of numbers that can't be made here."""
    if spec.dtype not in TYPES:
        known = ", ".join(TYPES)
        raise LoadRefused(f"The model takes {spec.words}. Numbers can be made of these types: {known}.")


def one_example(spec: InputSpec, seed: int) -> NDArray[Any]:
    """Random numbers from 0 to 1, or whole ones from 0 to 10, of the input's shape with a batch of 1."""
    unknown = UNKNOWN_SIDE if len(spec.example_shape) > 2 else 1
    batch = () if spec.shape and spec.shape[0] not in {None, 1} else (1,)  # a fixed first dimension is none
    shape = (*batch, *(side or unknown for side in spec.example_shape))
    made, kind = np.random.default_rng(seed), np.dtype(TYPES[spec.dtype])
    most = 1 if kind.kind == "b" else 10
    return (made.random(shape) if kind.kind == "f" else made.integers(0, most, shape, endpoint=True)).astype(
        kind
    )


def distinct_pictures(file: bytes, count: int) -> Iterator[bytes]:
    """JPEG copies of a picture, of at most SMALL_PX: each shifted by other pixels, and with another comment.

    The comment keeps the bytes apart if the picture is of one colour.
    """
    pixels = read_image(file, "picture").pixels
    assert pixels is not None  # noqa: S101  it was just read
    small = pixels.copy()
    small.thumbnail((SMALL_PX, SMALL_PX), Image.Resampling.BILINEAR)
    for number in range(count):
        written = io.BytesIO()
        shifted = ImageChops.offset(small, number % small.width, number // small.width)
        shifted.save(written, "JPEG", quality=85, comment=f"copy {number:09}")
        yield written.getvalue()


def pixels_of(spec: InputSpec, file: bytes) -> NDArray[Any]:
    """A picture as numbers from 0 to 1 in the shape of one example, [1, height, width, channels]."""
    _, height, width, channels = (None, *spec.example_shape)
    image = read_image(file, "picture").pixels
    assert image is not None  # noqa: S101  it was just read
    resized = image.resize((width or UNKNOWN_SIDE, height or UNKNOWN_SIDE), Image.Resampling.BILINEAR)
    values = np.asarray(resized.convert("RGB" if channels == 3 else "L"), TYPES[spec.dtype]) / 255
    return values.astype(TYPES[spec.dtype]).reshape(1, *resized.size[::-1], channels or 3)


def _pixel_spec(info: BackendInfo) -> InputSpec | None:
    """The signature that takes pixels of shape [n, height, width, channels]; None: the model has none."""
    signature, name = PIXELS
    try:
        spec = input_spec(replace(info, signature=signature, input_key=name), STATUS_TIMEOUT_S)
    except RequestFailed:
        return None
    is_picture = len(spec.example_shape) == 3 and spec.example_shape[-1] in {1, 3}
    return spec if spec.signature == signature and spec.dtype in TYPES and is_picture else None
