"""Classify, Regress and MultiInference, over gRPC and REST: tf.Examples in, classes or values out.

Each of them is a prediction whose only input holds the serialised examples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

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


@dataclass(frozen=True)
class Inferred:
    """The result for all examples of a request, and the answer that it was made from."""

    answer: Answer
    result: Any  # a ClassificationResult or a RegressionResult

    @property
    def model_spec(self) -> Any:
        return self.answer.model.as_proto(self.answer.signature_name)


def classify(
    service: Predicts, request: Any, caller: Caller
) -> tuple[classification_pb2.ClassificationResponse, Mapping[str, float]]:
    """The response, and how long each stage took in ms. Raises ServingError."""
    return _respond(service, classification, classification_pb2.ClassificationResponse, request, caller)


def regress(
    service: Predicts, request: Any, caller: Caller
) -> tuple[regression_pb2.RegressionResponse, Mapping[str, float]]:
    """The response, and how long each stage took in ms. Raises ServingError."""
    return _respond(service, regression, regression_pb2.RegressionResponse, request, caller)


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
        done = _infer(service, KINDS[task.method_name], spec, task.model_spec.signature_name, inputs, caller)
        field = "classification_result" if task.method_name == classification.METHOD else "regression_result"
        results.append(inference_pb2.InferenceResult(model_spec=done.model_spec, **{field: done.result}))
        spec = done.answer.model  # so the other tasks use the same version
        for stage, ms in done.answer.stage_ms.items():
            stage_ms[stage] = stage_ms.get(stage, 0) + ms
    return inference_pb2.MultiInferenceResponse(results=results), stage_ms


def classify_json(
    service: Predicts, spec: ModelSpec, body: bytes, caller: Caller
) -> tuple[str, Mapping[str, float]]:
    """The answer as JSON text, and how long each stage took in ms. Raises ServingError."""
    return _answer_json(service, classification, spec, body, caller)


def regress_json(
    service: Predicts, spec: ModelSpec, body: bytes, caller: Caller
) -> tuple[str, Mapping[str, float]]:
    """The answer as JSON text, and how long each stage took in ms. Raises ServingError."""
    return _answer_json(service, regression, spec, body, caller)


def _answer_json(
    service: Predicts, kind: ModuleType, spec: ModelSpec, text: bytes, caller: Caller
) -> tuple[str, Mapping[str, float]]:
    body = examples.Body.parse(text)
    done = _infer(service, kind, spec, body.signature_name, body.examples, caller)
    return json.dumps({"results": kind.as_json(done.result)}), done.answer.stage_ms


def _respond(
    service: Predicts, kind: ModuleType, response: Any, request: Any, caller: Caller
) -> tuple[Any, Mapping[str, float]]:
    spec = ModelSpec.from_proto(request.model_spec)
    inputs = examples.from_input(request.input)
    done = _infer(service, kind, spec, request.model_spec.signature_name, inputs, caller)
    return response(model_spec=done.model_spec, result=done.result), done.answer.stage_ms


def _infer(
    service: Predicts, kind: ModuleType, spec: ModelSpec, name: str, inputs: np.ndarray, caller: Caller
) -> Inferred:
    try:
        signature = service.signature(spec, name)
    except FailedPrecondition as problem:
        missing = name or DEFAULT_SIGNATURE
        raise InvalidArgument(f"No signature was found with the name: {missing}") from problem
    outputs = kind.outputs_of(signature)
    question = Question(spec, signature.name, {kind.INPUTS: inputs}, outputs)
    answer = service.predict(question, caller)
    return Inferred(answer, kind.result(answer.outputs, len(inputs)))


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
