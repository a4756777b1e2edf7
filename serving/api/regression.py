"""Regress: the signatures that can do it, and their output as a RegressionResult.

Format: tensorflow_serving/apis/regression.proto and
https://www.tensorflow.org/tfx/serving/signature_defs; messages have TensorFlow Serving's wording.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tensorflow_serving.apis import regression_pb2

from serving.errors import InvalidArgument
from serving.values.json_arrays import shortest
from serving.values.signatures import REGRESS_METHOD, Signature

INPUTS, OUTPUTS = "inputs", "outputs"
METHOD, RESULT_FIELD = REGRESS_METHOD, "regression_result"
Response = regression_pb2.RegressionResponse


def outputs_of(signature: Signature) -> tuple[str, ...]:
    """The output to compute. Raises InvalidArgument when the signature can't regress.

    The method name may be another if everything else fits, see classification.py.
    """
    fits = INPUTS in signature.inputs and OUTPUTS in signature.outputs
    if signature.method_name != METHOD and not fits:
        raise InvalidArgument(
            f"Expected regression signature method_name to be {METHOD}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise InvalidArgument("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise InvalidArgument(f"No regression inputs found in SignatureDef: {signature.name}")
    if OUTPUTS not in signature.outputs:
        raise InvalidArgument(f"No regression outputs found in SignatureDef: {signature.name}")
    return (OUTPUTS,)


def result(outputs: Mapping[str, np.ndarray], count: int) -> regression_pb2.RegressionResult:
    """The output for `count` examples as values. Raises InvalidArgument for an output of another shape."""
    array = outputs[OUTPUTS]
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
        raise InvalidArgument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {list(array.shape)}"
        )
    if len(array) != count:
        raise InvalidArgument(f"Input batch size did not match output batch size: {count} vs. {len(array)}")
    if array.dtype != np.float32:
        raise InvalidArgument(f"Expected output Tensor of DT_FLOAT. Got: {array.dtype}")
    return regression_pb2.RegressionResult(regressions=({"value": value} for value in array.ravel().tolist()))


def as_json(answer: regression_pb2.RegressionResult) -> list[float]:
    """One value for every example."""
    values: list[float] = shortest(np.array([row.value for row in answer.regressions], np.float32))
    return values
