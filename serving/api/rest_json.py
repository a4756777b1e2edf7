"""TensorFlow Serving's JSON: rows ("instances") and columns ("inputs") to arrays, and answers back.

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
from serving.values.json_bytes import is_base64
from serving.values.signatures import Signature, TensorSpec
from serving.values.tensors import dtype_name, numpy_dtype

ASK_BY_COLUMN = "Ask with 'inputs' instead of 'instances'."
KEYS_COUNTED = 32  # of a body's objects; with more it is read slowly


@dataclass(frozen=True)
class Body:
    """A predict request as written: which signature, and its values still as JSON."""

    signature_name: str
    is_rows: bool  # else columns
    values: Any

    @classmethod
    def parse(cls, text: bytes) -> Body:
        """Raises InvalidArgument unless it is an object with just one of "instances" and "inputs"."""
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
            raise InvalidArgument("Both 'inputs' and 'instances' are there. Send one of them.")
        return cls(signature_name, present == ["instances"], body[present[0]])

    def arrays(self, signature: Signature) -> dict[str, np.ndarray]:
        """The values as the signature's inputs. Raises InvalidArgument, naming the input."""
        columns = (_columns_of_rows if self.is_rows else _columns)(self.values, signature)
        specs = signature.inputs
        return {alias: _array(alias, values, specs.get(alias)) for alias, values in columns.items()}


def answer_text(outputs: Mapping[str, np.ndarray], is_rows: bool) -> str:
    """The answer in the form of the request: "predictions" for rows, "outputs" for columns.

    With a single output its values stand there without its name. Floats have the fewest digits that
    give them back; those that are not finite are written as NaN and Infinity, as TensorFlow Serving does.
    """
    is_finite = all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f")
    columns = {alias: _writable(alias, array, is_finite) for alias, array in outputs.items()}
    if not is_rows:
        return _written({"outputs": _unnamed(columns)}, is_finite)
    _require_rows(outputs)
    if len(columns) == 1:
        return _written({"predictions": _unnamed(columns)}, is_finite)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _written({"predictions": rows}, is_finite)


def _require_rows(outputs: Mapping[str, np.ndarray]) -> None:
    single = [alias for alias, array in outputs.items() if not array.ndim]
    if single:
        why = f"Output {single[0]!r} is one value, not one for each instance."
        raise InvalidArgument(f"{why} {ASK_BY_COLUMN}")
    if len({len(array) for array in outputs.values()}) > 1:
        raise InvalidArgument(f"The outputs differ in their batch size. {ASK_BY_COLUMN}")


def _written(answer: Any, is_finite: bool) -> str:
    return (
        orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY).decode() if is_finite else json.dumps(answer)
    )


def _may_repeat_a_key(body: Any, text: bytes) -> bool:
    """Whether a key stands more often in the text than in the body as read, where the last one counts."""
    if not isinstance(body, dict):
        return False
    values = (body.get("inputs"), *(body["instances"] if isinstance(body.get("instances"), list) else ()))
    objects = (body, *(value for value in values if isinstance(value, dict)))
    counts = Counter(key for each in objects for key in each)
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


def _columns(values: Any, signature: Signature) -> dict[str, Any]:
    return values if _is_named(values) else {_only_input(signature): values}


def _is_named(value: Any) -> bool:
    """True for {"images": ...}; false for a plain value and for {"b64": "..."}."""
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
    """Inputs that the signature does not have become an array too: the service refuses them by name."""
    if spec is None:
        return np.empty(0)
    try:
        return json_arrays.from_json(values, numpy_dtype(spec.dtype))
    except ValueError as problem:
        raise InvalidArgument(
            f"Input {alias!r} can't be read as {dtype_name(spec.dtype)}: {problem}."
        ) from problem


def _writable(alias: str, array: np.ndarray, is_finite: bool) -> Any:
    """As orjson takes it, or as json does. Strings are text, and base64 where the name ends in _bytes."""
    if array.dtype.kind not in json_arrays.READERS:
        raise InvalidArgument(f"Output {alias!r} is {array.dtype}, which JSON can't express. Ask over gRPC.")
    if array.dtype.kind == "O":
        return _text(array.tolist(), as_base64=alias.endswith("_bytes"))
    if is_finite:
        return np.ascontiguousarray(array) if array.ndim else array[()]
    return json_arrays.shortest(array) if array.dtype.kind == "f" else array.tolist()


def _text(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_text(each, as_base64) for each in value]
    if as_base64:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")


def _unnamed(values: dict[str, Any]) -> Any:
    return next(iter(values.values())) if len(values) == 1 else values
