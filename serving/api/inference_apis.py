"""Classify, Regress and MultiInference, over gRPC and REST: tf.Examples in, classes or values out.

Each of them is a prediction whose only input holds the serialised examples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from tensorflow_serving.apis import inference_pb2

from serving.api import classification, regression
from serving.errors import FailedPrecondition, InvalidArgument, Unimplemented
from serving.models.served_model import ModelSpec
from serving.service import Answer, Caller, Question
from serving.values import examples
from serving.values.signatures import DEFAULT_SIGNATURE, Signature

KINDS = {kind.METHOD: kind for kind in (classification, regression)}


class Predicts(Protocol):
    """The part of the service that is used here."""

    def signature(self, spec: ModelSpec, name: str) -> Signature: ...
    def predict(self, question: Question, caller: Caller) -> Answer: ...


def respond(
    kind: ModuleType, service: Predicts, request: Any, caller: Caller
) -> tuple[Any, Mapping[str, float]]:
    """The response message, and how long the stages took in ms. Raises ServingError."""
    spec, name = ModelSpec.from_proto(request.model_spec), request.model_spec.signature_name
    answer, result = _infer(service, kind, spec, name, examples.from_input(request.input), caller)
    model_spec = answer.model.as_proto(answer.signature_name)
    return kind.Response(model_spec=model_spec, result=result), answer.stage_ms


def respond_json(
    kind: ModuleType, service: Predicts, spec: ModelSpec, text: bytes, caller: Caller
) -> tuple[str, Mapping[str, float]]:
    """The response as JSON text, and how long the stages took in ms. Raises ServingError."""
    body = examples.Body.parse(text)
    answer, result = _infer(service, kind, spec, body.signature_name, body.examples, caller)
    return json.dumps({"results": kind.as_json(result)}), answer.stage_ms


classify, classify_json = partial(respond, classification), partial(respond_json, classification)
regress, regress_json = partial(respond, regression), partial(respond_json, regression)


def multi_inference(
    service: Predicts, request: Any, caller: Caller
) -> tuple[inference_pb2.MultiInferenceResponse, Mapping[str, float]]:
    """Several classifications and regressions of the same examples by one version of one model.

    As in TensorFlow Serving the first task's version counts
    (https://github.com/tensorflow/serving/issues/1254). Raises ServingError.
    """
    spec = _common_spec(request.tasks)
    inputs = examples.from_input(request.input)
    results, stage_ms = [], dict[str, float]()
    for task in request.tasks:
        kind, name = KINDS[task.method_name], task.model_spec.signature_name
        answer, result = _infer(service, kind, spec, name, inputs, caller)
        model_spec = answer.model.as_proto(answer.signature_name)
        results.append(inference_pb2.InferenceResult(model_spec=model_spec, **{kind.RESULT_FIELD: result}))
        spec = answer.model  # so the other tasks use the same version
        for stage, ms in answer.stage_ms.items():
            stage_ms[stage] = stage_ms.get(stage, 0) + ms
    return inference_pb2.MultiInferenceResponse(results=results), stage_ms


def _infer(
    service: Predicts, kind: ModuleType, spec: ModelSpec, name: str, inputs: np.ndarray, caller: Caller
) -> tuple[Answer, Any]:
    """The service's answer, and a ClassificationResult or RegressionResult of it. Raises ServingError."""
    try:
        signature = service.signature(spec, name)
    except FailedPrecondition as problem:
        missing = name or DEFAULT_SIGNATURE
        raise InvalidArgument(f"No signature was found with the name: {missing}") from problem
    outputs = kind.outputs_of(signature)
    question = Question(spec, signature.name, {kind.INPUTS: inputs}, outputs)
    answer = service.predict(question, caller)
    return answer, kind.result(answer.outputs, len(inputs))


def _common_spec(tasks: Any) -> ModelSpec:
    if not tasks:
        raise InvalidArgument("The request has no tasks. Give at least one.")
    names = {task.model_spec.name for task in tasks}
    spec = ModelSpec.from_proto(tasks[0].model_spec)
    if len(names) > 1:
        raise InvalidArgument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name, "
            f"not {', '.join(sorted(names))}."
        )
    seen: set[str] = set()
    for task in tasks:
        if task.method_name not in KINDS:
            raise Unimplemented(f"Unsupported signature method_name: {task.method_name}")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in seen:
            raise InvalidArgument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
    return spec
