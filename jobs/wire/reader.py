"""entry_reader(): makes requests of entries in all their forms, and results in the form that is read.

v, uri, photo                   ours: a photo by its hash
v, uri, inputs [, reply]        ours: other inputs, Arrow as it is
uri, data                       Cluster Serving's last clients: Arrow in base64
uri, image                      Cluster Serving's first clients: a JPEG in base64
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from experiment.backends.base import MESSAGE_LIMIT_BYTES
from experiment.images.header import BRANDS, OTHER_KINDS, READABLE
from experiment.queue.keys import FIRST_STREAM
from experiment.queue.records import QueueSettings
from experiment.wording import one_line, size
from jobs.records import REPLY_FIELD, Answered, Claimed, Reader, Refused, Request, bytes_array
from jobs.wire.arrow import BadArrow, Value, read_inputs, write_result

INPUTS_FIELD: Final = "inputs"
ARRAY, CLASSES = "array", "classes"  # values of REPLY_FIELD: as the last clients read it, as the first ones
MOST_BYTES: Final = MESSAGE_LIMIT_BYTES  # of the inputs of one job: no model server takes more in a message


def entry_reader(settings: QueueSettings) -> Reader:
    """Reads the entries of one queue."""
    return _EntryReader(CLASSES if settings.stream == FIRST_STREAM else ARRAY)


class _EntryReader:
    def __init__(self, old_reply: str):
        self._old_reply = old_reply  # by the stream, as the key of the result is (experiment/queue/keys.py)

    def read(self, entry: Claimed, photo: bytes | None) -> Request | Refused:
        """The request in an entry, or why there is none. Never raises."""
        try:
            return _request(entry, photo)
        except BadArrow as error:
            return Refused("bad_input", str(error))

    def encode(self, entry: Claimed, answered: Answered) -> bytes | None:
        """The result for whoever reads it under the name `value`; None: nobody does, or it can't be said."""
        reply = (
            self._old_reply if entry.is_old else entry.fields.get(REPLY_FIELD, b"").decode("ascii", "replace")
        )
        if reply == CLASSES:
            return json.dumps(_classes(answered)).encode()
        if reply == ARRAY and answered.array is not None:
            arrays = answered.array if isinstance(answered.array, tuple) else (answered.array,)
            written = write_result(arrays)
            return None if written is None else base64.b64encode(written)
        return None


def _request(entry: Claimed, photo: bytes | None) -> Request | Refused:
    fields = entry.fields
    if not entry.is_old and "photo" in fields:
        if photo is None:
            return Refused("photo_gone", "The photo of this job is no longer stored. Send it again.")
        return Request(image=photo)
    if not entry.is_old and INPUTS_FIELD in fields:
        return _inputs(read_inputs(_small(fields[INPUTS_FIELD])))
    if entry.is_old and "data" in fields:
        return _inputs(read_inputs(_from_base64("data", fields["data"])))
    if entry.is_old and "image" in fields:
        return Request(image=_from_base64("image", fields["image"]))
    names = ", ".join(one_line(name, 30) for name in sorted(fields)[:10])
    return Refused("bad_input", f"The entry holds no photo and no inputs, only {names or 'nothing'}.")


def _inputs(values: Mapping[str, Value]) -> Request:
    """One image by itself is a request for a photo; beside others it is an input like them."""
    found = {name: _as_array(value) for name, value in values.items()}
    if len(found) == 1:
        (only,) = found.values()
        if isinstance(only, bytes):
            return Request(image=only)
    return Request(
        tensors={
            name: bytes_array(value) if isinstance(value, bytes) else value for name, value in found.items()
        }
    )


def _as_array(value: Value) -> bytes | np.ndarray:
    """Text is an image in base64, or several texts with "|" between them, which base64 does not have."""
    if not isinstance(value, str):
        return value
    image = None if "|" in value else image_in(value)
    return np.array(value.split("|"), object) if image is None else image


def image_in(text: str) -> bytes | None:
    """The image that a text is in base64; None: it is something else."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if is_image(data) else None


def is_image(data: bytes) -> bool:
    """Whether bytes begin like an image of a kind that is known, be it readable or not."""
    if data[4:8] == b"ftyp":
        return any(data[8:12] in brands for brands in BRANDS.values())
    known = [*(kind.begins for kind in READABLE.values()), *OTHER_KINDS.values()]
    return any(begins.match(data) for begins in known)


def _from_base64(field: str, text: bytes) -> bytes:
    if len(text) > MOST_BYTES * 4 // 3 + 4:
        raise BadArrow(f"The field {field} is larger than {size(MOST_BYTES)}.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadArrow(f"The field {field} is not base64.") from None


def _small(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise BadArrow(f"The inputs are larger than {size(MOST_BYTES)}.")
    return data


def _classes(answered: Answered) -> dict[str, Any]:
    """{"287": "0.52377725"}: the number of the best class (of the best n with topN) and its score, as text.
    A model that does not return the scores of all classes: its label instead of the number."""
    array = answered.array
    if isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == 2:
        return {str(int(place)): str(score) for place, score in array.tolist()}
    if isinstance(array, np.ndarray) and array.ndim == 1 and array.size:
        place = int(np.argmax(array))
        return {str(place): str(float(array[place]))}
    return {str(each["label"]): str(each["score"]) for each in answered.result.get("top", [])[:1]}
