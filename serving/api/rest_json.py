"""TensorFlow Serving's JSON: rows ("instances") and columns ("inputs") to arrays, outputs to JSON.

Format: https://www.tensorflow.org/tfx/serving/api_rest and tensorflow/serving, util/json_tensor.cc.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from serving.errors import InvalidArgument
from serving.values import json_arrays, json_text
from serving.values.json_text import is_base64
from serving.values.signatures import Signature, TensorSpec
from serving.values.tensors import dtype_name, numpy_dtype

USE_COLUMNS = "Ask with 'inputs' instead of 'instances'."
KEYS_COUNTED = 32  # different keys in a body; with more it is read by the slower parser


@dataclass(frozen=True)
class Body:
    """A Predict request: the signature, and the values as parsed JSON."""

    signature_name: str
    is_rows: bool  # else columns
    values: Any

    @classmethod
    def parse(cls, text: bytes) -> Body:
        """Raises InvalidArgument unless it is an object with either "instances" or "inputs"."""
        body = json_text.read(text, _may_repeat_a_key)
        if not isinstance(body, dict):
            raise InvalidArgument("The body must be a JSON object with 'instances' or 'inputs'.")
        signature_name = body.get("signature_name", "")
        if not isinstance(signature_name, str):
            raise InvalidArgument("'signature_name' key must be a string value.")
        present = [key for key in ("inputs", "instances") if key in body]
        if not present:
            raise InvalidArgument("Missing 'inputs' or 'instances' key")
        if len(present) == 2:
            raise InvalidArgument("The body has both 'inputs' and 'instances'. Send one of them.")
        return cls(signature_name, present == ["instances"], body[present[0]])

    def arrays(self, signature: Signature) -> dict[str, np.ndarray]:
        """The values as the signature's inputs. Raises InvalidArgument, naming the input."""
        if self.is_rows:
            columns = _columns_of_rows(self.values, signature)
        else:
            is_named = _is_named(self.values)
            columns = self.values if is_named else {_only_input(signature): self.values}
        specs = signature.inputs
        return {alias: _array(alias, values, specs.get(alias)) for alias, values in columns.items()}


def answer_text(outputs: Mapping[str, np.ndarray], is_rows: bool) -> str:
    """The outputs in the form of the request: "predictions" for rows, "outputs" for columns.

    The values of a single output come without its name. Floats have the fewest digits that identify them; NaN
    and Infinity are written like that, as by TensorFlow Serving. Raises InvalidArgument.
    """
    is_finite = all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f")
    columns = {alias: _writable(alias, array, is_finite) for alias, array in outputs.items()}
    values: Any = next(iter(columns.values())) if len(columns) == 1 else columns
    if is_rows:
        _require_rows(outputs)
        if len(columns) > 1:
            values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    answer = {"predictions" if is_rows else "outputs": values}
    if not is_finite:
        return json.dumps(answer)
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _require_rows(outputs: Mapping[str, np.ndarray]) -> None:
    single = [alias for alias, array in outputs.items() if not array.ndim]
    if single:
        why = f"Output {single[0]!r} is one value, not one for each instance."
        raise InvalidArgument(f"{why} {USE_COLUMNS}")
    if len({len(array) for array in outputs.values()}) > 1:
        raise InvalidArgument(f"The outputs differ in their batch size. {USE_COLUMNS}")


def _may_repeat_a_key(body: Any, text: bytes) -> bool:
    """Whether a key is more often in the text than in the parsed body, which keeps the last of two."""
    if not isinstance(body, dict):
        return False
    values = (body.get("inputs"), *(body["instances"] if isinstance(body.get("instances"), list) else ()))
    objects = (body, *(value for value in values if isinstance(value, dict)))
    counts = Counter(key for value in objects for key in value)
    return len(counts) > KEYS_COUNTED or any(
        text.count(orjson.dumps(key)) > count for key, count in counts.items()
    )


def _columns_of_rows(rows: Any, signature: Signature) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows:
        raise InvalidArgument("'instances' must be a list with at least one value.")
    if not _is_named(rows[0]):
        return {_only_input(signature): rows}
    for index, row in enumerate(rows):
        if not _is_named(row) or row.keys() != signature.inputs.keys():
            raise InvalidArgument(
                f"instances[{index}] must be an object with the keys {', '.join(signature.inputs)}."
            )
    return {alias: [row[alias] for row in rows] for alias in signature.inputs}


def _is_named(value: Any) -> bool:
    """True for {"images": ...}, false for a plain value and for {"b64": "..."}."""
    return isinstance(value, dict) and not is_base64(value)


def _only_input(signature: Signature) -> str:
    if not signature.inputs:
        raise InvalidArgument(
            f'Signature {signature.name!r} takes no inputs. Ask it with {{"inputs": {{}}}}.'
        )
    if len(signature.inputs) != 1:
        raise InvalidArgument(
            f"Signature {signature.name!r} has several inputs, so each value needs its name: "
            f"{', '.join(signature.inputs)}."
        )
    return next(iter(signature.inputs))


def _array(alias: str, values: Any, spec: TensorSpec | None) -> np.ndarray:
    """An input's values as an array. Without a spec an empty one: the service refuses such an input."""
    if spec is None:
        return np.empty(0)
    try:
        return json_arrays.from_json(values, numpy_dtype(spec.dtype))
    except ValueError as problem:
        raise InvalidArgument(
            f"Input {alias!r} can't be read as {dtype_name(spec.dtype)}: {problem}."
        ) from problem


def _writable(alias: str, array: np.ndarray, is_finite: bool) -> Any:
    """An output for orjson or json. Strings are text, and base64 if the name ends in _bytes."""
    if array.dtype.kind not in json_arrays.READERS:
        raise InvalidArgument(f"Output {alias!r} is {array.dtype}, which JSON can't express. Use gRPC.")
    if array.dtype.kind == "O":
        return _text(array.tolist(), as_base64=alias.endswith("_bytes"))
    if is_finite:
        return np.ascontiguousarray(array) if array.ndim else array[()]
    return json_arrays.shortest(array) if array.dtype.kind == "f" else array.tolist()


def _text(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_text(item, as_base64) for item in value]
    if as_base64:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")
