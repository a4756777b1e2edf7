"""TensorFlow Serving's JSON: rows ("instances") and columns ("inputs") to arrays, and answers back.

Format: https://www.tensorflow.org/tfx/serving/api_rest and tensorflow/serving, util/json_tensor.cc.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from serving.errors import InvalidArgument
from serving.signatures import Signature, TensorSpec
from serving.tensors import dtype_name, numpy_dtype

# Kinds of a NumPy array made from JSON that may become an array of the wanted kind. Others have no JSON.
LOSSLESS_KINDS = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}


@dataclass(frozen=True)
class Body:
    """A predict request as written: which signature, and its values still as JSON."""

    signature_name: str
    is_rows: bool  # else columns
    values: Any

    @classmethod
    def parse(cls, text: bytes) -> Body:
        """Raises InvalidArgument unless it is an object with just one of "instances" and "inputs"."""
        body = _read(text)
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

    With a single output its values stand there without its name.
    """
    columns = {alias: _plain(alias, array) for alias, array in outputs.items()}
    if not is_rows:
        return _written({"outputs": _unnamed(columns)}, outputs)
    sizes = {len(values) if isinstance(values, list) else None for values in columns.values()}
    if len(sizes) != 1 or None in sizes:
        raise InvalidArgument(
            "The outputs differ in their batch size. Ask with 'inputs' instead of 'instances'."
        )
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return _written({"predictions": [_unnamed(row) for row in rows]}, outputs)


def _read(text: bytes) -> Any:
    """orjson holds Python's lock for a fifth of the time; the other one knows NaN and says what is wrong."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise InvalidArgument(f"JSON Parse error: {problem}") from problem


def _written(answer: Any, outputs: Mapping[str, np.ndarray]) -> str:
    """Numbers that are not finite are written as NaN and Infinity, as TensorFlow Serving does."""
    reals = (array for array in outputs.values() if array.dtype.kind == "f")
    if all(np.isfinite(array).all() for array in reals):
        return orjson.dumps(answer).decode()
    return json.dumps(answer)


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
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: dict[str, Any]) -> bool:
    return value.keys() == {"b64"} and isinstance(value["b64"], str)


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
    dtype = numpy_dtype(spec.dtype)
    try:
        return _string_array(values) if dtype.kind == "O" else _number_array(values, dtype)
    except (ValueError, TypeError, OverflowError, RecursionError) as problem:
        raise InvalidArgument(
            f"Input {alias!r} can't be read as {dtype_name(spec.dtype)}: {problem}."
        ) from problem


def _number_array(values: Any, dtype: np.dtype) -> np.ndarray:
    array = np.array(values)
    if dtype.kind not in LOSSLESS_KINDS:
        raise ValueError("JSON has no such numbers; ask over gRPC")
    if array.dtype.kind not in LOSSLESS_KINDS[dtype.kind]:
        raise ValueError("it holds values of another type")
    if dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise ValueError(f"it holds values outside {limits.min} to {limits.max}")
    return array.astype(dtype)


def _string_array(values: Any) -> np.ndarray:
    array = np.array(_bytes(values), dtype=object)
    if any(isinstance(value, list) for value in array.flat):
        raise ValueError("its lists differ in length")
    return array


def _bytes(value: Any) -> Any:
    """Each string as UTF-8 and each {"b64": ...} decoded, lists kept as they are."""
    if isinstance(value, list):
        return [_bytes(each) for each in value]
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and _is_base64(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as problem:
            raise ValueError(f"its base64 is damaged ({problem})") from problem
    raise ValueError('it needs strings or {"b64": "..."}')


def _plain(alias: str, array: np.ndarray) -> Any:
    """Lists of plain values. Strings are text, and base64 where the name ends in _bytes."""
    if array.dtype.kind not in {"O", *LOSSLESS_KINDS}:
        raise InvalidArgument(
            f"Output {alias!r} is {array.dtype}, which JSON has no word for. Ask over gRPC."
        )
    values = array.tolist()
    if array.dtype.kind != "O":
        return values
    return _text(values, as_base64=alias.endswith("_bytes"))


def _text(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_text(each, as_base64) for each in value]
    if as_base64:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")


def _unnamed(values: dict[str, Any]) -> Any:
    return next(iter(values.values())) if len(values) == 1 else values
