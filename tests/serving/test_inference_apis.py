"""Classify, regress and multi-inference without a model: what reaches it, and what becomes of its outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import classification_pb2, inference_pb2, input_pb2

import serving  # noqa: F401  # lets the messages load without TensorFlow
from serving.api import classification, inference_apis, regression
from serving.errors import FailedPrecondition, InvalidArgument, Unimplemented
from serving.service import Answer, ModelSpec
from serving.values import examples
from serving.values.signatures import CLASSIFY_METHOD, PREDICT_METHOD, REGRESS_METHOD, Signature, TensorSpec

FLOAT, STRING = TensorSpec(1, (None, 1)), TensorSpec(7, (None,))
ALWAYS = lambda: True  # noqa: E731


def example(**features: float) -> example_pb2.Example:
    message = example_pb2.Example()
    for name, value in features.items():
        message.features.feature[name].float_list.value.append(value)
    return message


def features(serialised: bytes) -> dict[str, list[object]]:
    """Feature name to its values."""
    parsed = example_pb2.Example.FromString(serialised).features.feature
    return {name: list(getattr(each, each.WhichOneof("kind")).value) for name, each in parsed.items()}


def parse(**body: object) -> examples.Body:
    return examples.Body.parse(json.dumps(body).encode())


# Input


def test_the_context_is_merged_into_each_example():
    proto = input_pb2.Input(
        example_list_with_context={
            "context": example(query=1),
            "examples": [example(x=2), example(x=3, query=4)],
        }
    )
    first, second = examples.from_input(proto)
    assert features(first) == {"query": [1], "x": [2]}
    assert features(second) == {"query": [4], "x": [3]}


def test_a_context_that_would_be_repeated_too_often_is_refused():
    """A message of 1 MB that would become 3 GB."""
    context = example_pb2.Example()
    context.features.feature["x"].bytes_list.value.append(bytes(1_000_000))
    many = {"context": context, "examples": [example_pb2.Example()] * 3000}
    with pytest.raises(InvalidArgument, match="3000 examples with a context of 1000"):
        examples.from_input(input_pb2.Input(example_list_with_context=many))
    with pytest.raises(InvalidArgument, match="100001 examples"):
        examples.from_input(input_pb2.Input(example_list={"examples": [example_pb2.Example()] * 100_001}))
    with pytest.raises(InvalidArgument, match="3000 examples"):
        parse(context={"x": "a" * 1_000_000}, examples=[{}] * 3000)


@pytest.mark.parametrize(
    "proto",
    [
        input_pb2.Input(),
        input_pb2.Input(example_list={}),
        input_pb2.Input(example_list_with_context={"context": example(x=1)}),
    ],
)
def test_an_empty_input_is_refused(proto):
    with pytest.raises(InvalidArgument, match=r"^Input is empty\.$"):
        examples.from_input(proto)


def test_json_values_become_features_of_their_kind():
    body = parse(
        signature_name="s",
        examples=[
            {
                "f": 2.0,
                "i": [1, -2],
                "s": "é",
                "b": {"b64": "/w\nA"},
                "many": ["a", {"b64": "YQ=="}],
                "no": [],
            },
            {"i": [True, False, 3]},
        ],
    )
    message = example_pb2.Example.FromString(body.examples[0]).features.feature
    assert body.signature_name == "s"
    assert list(message["f"].float_list.value) == [2.0]
    assert list(message["i"].int64_list.value) == [1, -2]
    assert list(message["s"].bytes_list.value) == ["é".encode()]
    assert list(message["b"].bytes_list.value) == [b"\xff\x00"]
    assert list(message["many"].bytes_list.value) == [b"a", b"a"]
    assert message["no"].WhichOneof("kind") is None
    assert features(body.examples[1]) == {"i": [1, 0, 3]}


def test_the_context_of_json_is_merged_too():
    body = parse(context={"query": 1.0}, examples=[{"x": 2.0}, {}])
    assert [features(each) for each in body.examples] == [{"query": [1], "x": [2]}, {"query": [1]}]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Key 'examples' is expected"),
        ({"examples": {"x": 1}}, "must be a list of objects"),
        ({"examples": []}, "Input is empty."),
        ({"examples": [{}, 1]}, "examples[1] must be an object"),
        ({"examples": [{"x": [1, 2.5]}]}, "Feature 'x' of examples[0] mixes kinds"),
        ({"examples": [{"x": [1, "a"]}]}, "Feature 'x' of examples[0] mixes kinds"),
        ({"examples": [{"x": None}]}, "Feature 'x' of examples[0] must be a number"),
        ({"examples": [{"x": [True, 1.5]}]}, "mixes kinds"),
        ({"examples": [{"x": 1e39}]}, "does not fit into a 32-bit float"),
        ({"examples": [{"x": "\ud83d"}]}, "Feature 'x' of examples[0] holds half of a surrogate pair"),
        ({"examples": [{"x": [[1]]}]}, "must be a number"),
        ({"examples": [{"x": {"y": 1}}]}, "must be a number"),
        ({"examples": [{"x": 2**63}]}, "does not fit into 64 bits"),
        ({"examples": [{"x": {"b64": "%"}}]}, "Feature 'x' of examples[0] has damaged base64"),
        ({"examples": [{"x": {"b64": "-_8="}}]}, "Feature 'x' of examples[0] has URL-safe base64"),
        ({"examples": [{"x": {"b64": 1}}]}, "must be a number"),
        ({"context": [1], "examples": [{}]}, "context must be an object"),
        ({"context": {"x": 1}, "examples": [{}, {"x": 1}]}, "examples[1] repeats ['x'] of the context"),
        ({"signature_name": 1, "examples": [{}]}, "must be a string"),
    ],
)
def test_a_wrong_body_is_refused_by_name(body, text):
    with pytest.raises(InvalidArgument) as caught:
        parse(**body)
    assert text in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, JSON)
def test_any_json_becomes_examples_or_is_the_clients_fault(values, context):
    for body in ({"examples": values, "context": context}, {"examples": [{"x": values}]}):
        try:
            assert examples.Body.parse(json.dumps(body).encode()).examples.dtype == object
        except InvalidArgument as problem:
            assert problem.message


# Outputs


def floats(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def labels(*shape: int) -> np.ndarray:
    array = np.empty(shape, object)
    array[...] = b"cat"
    return array


def test_labels_and_scores_stand_side_by_side():
    answer = classification.result({"classes": labels(2, 2), "scores": floats(2, 2)}, 2)
    assert classification.as_json(answer) == [[["cat", 0], ["cat", 1]], [["cat", 2], ["cat", 3]]]


def test_what_the_model_does_not_give_is_left_empty():
    assert classification.as_json(classification.result({"scores": floats(1, 1)}, 1)) == [[["", 0]]]
    assert classification.as_json(classification.result({"classes": labels(1, 1)}, 1)) == [[["cat", 0]]]


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"scores": floats(2)}, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ({"scores": floats(1, 1)}, "Expected scores output batch size of 2. Got: 1"),
        ({"scores": labels(2, 1)}, "Expected scores Tensor of DT_FLOAT. Got: object"),
        ({"classes": floats(2, 1)}, "Expected classes Tensor of DT_STRING. Got: float32"),
        (
            {"classes": labels(2, 3), "scores": floats(2, 2)},
            "Tensors class and score should match in dim_size(1). Got 3 vs. 2",
        ),
    ],
)
def test_outputs_that_are_no_classes_are_refused(outputs, text):
    with pytest.raises(InvalidArgument) as caught:
        classification.result(outputs, 2)
    assert caught.value.message == text


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_one_value_per_example_is_a_regression(shape):
    assert regression.as_json(regression.result({"outputs": floats(*shape)}, 2)) == [0, 1]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (floats(2, 2), "to be either [batch_size] or [batch_size, 1] but got [2, 2]"),
        (np.float32(1).reshape(()), "but got []"),
        (floats(3), "did not match output batch size: 2 vs. 3"),
        (labels(2), "Expected output Tensor of DT_FLOAT. Got: object"),
    ],
)
def test_an_output_that_is_no_regression_is_refused(output, text):
    with pytest.raises(InvalidArgument) as caught:
        regression.result({"outputs": output}, 2)
    assert text in caught.value.message


def signature(method: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Signature:
    return Signature("s", dict.fromkeys(inputs, STRING), dict.fromkeys(outputs, FLOAT), method)


@pytest.mark.parametrize(
    ("kind", "asked", "text"),
    [
        (
            classification,
            signature(PREDICT_METHOD, ("x",), ("y",)),
            "Expected classification signature method_name to be tensorflow/serving/classify. "
            "Was: tensorflow/serving/predict",
        ),
        (
            classification,
            signature(CLASSIFY_METHOD, ("inputs", "x"), ("scores",)),
            "Expected one input Tensor.",
        ),
        (classification, signature(CLASSIFY_METHOD, ("x",), ("scores",)), "No classification inputs found"),
        (
            classification,
            signature(CLASSIFY_METHOD, ("inputs",), ("scores", "classes", "y")),
            "Expected one or two output Tensors, found 3",
        ),
        (
            classification,
            signature(CLASSIFY_METHOD, ("inputs",), ("y",)),
            'at least one of "classes" or "scores"',
        ),
        (
            regression,
            signature(CLASSIFY_METHOD, ("inputs",), ("scores",)),
            "Expected regression signature method_name to be tensorflow/serving/regress. "
            "Was: tensorflow/serving/classify",
        ),
        (regression, signature(REGRESS_METHOD, ("inputs", "x"), ("outputs",)), "Expected one input Tensor."),
        (regression, signature(REGRESS_METHOD, ("inputs",), ("outputs", "y")), "Expected one output Tensor."),
        (regression, signature(REGRESS_METHOD, ("x",), ("outputs",)), "No regression inputs found"),
        (regression, signature(REGRESS_METHOD, ("inputs",), ("y",)), "No regression outputs found"),
    ],
)
def test_a_signature_that_can_not_is_refused_in_tensorflow_servings_words(kind, asked, text):
    with pytest.raises(InvalidArgument) as caught:
        kind.outputs_of(asked)
    assert text in caught.value.message


def test_a_predict_signature_with_the_right_tensors_can():
    assert classification.outputs_of(signature(PREDICT_METHOD, ("inputs",), ("scores",))) == ("scores",)
    assert regression.outputs_of(signature(PREDICT_METHOD, ("inputs",), ("outputs",))) == ("outputs",)


# Both together, with a service that adds 1


@dataclass
class AddsOne:
    """Its latest version is another one after each answer, as if a new one was loaded meanwhile."""

    versions: list[int | None] = field(default_factory=list)  # that were asked for

    def signature(self, spec: ModelSpec, name: str) -> Signature:
        if name not in ("regress", "classify"):
            raise FailedPrecondition("no such signature")
        output, method = ("outputs", REGRESS_METHOD) if name == "regress" else ("scores", CLASSIFY_METHOD)
        return Signature(name, {"inputs": STRING}, {output: FLOAT}, method)

    def predict(self, question, is_wanted):
        self.versions.append(question.model.version)
        ((output,),) = (question.output_filter,)
        values = [[features(each)["x"][0] + 1] for each in question.inputs["inputs"]]
        version = question.model.version or len(self.versions)
        outputs = {output: np.array(values, np.float32)}
        return Answer(
            ModelSpec(question.model.name, version), question.signature_name, outputs, {"inference": 2.0}
        )


def multi(*tasks: tuple[str, str, str]) -> inference_pb2.MultiInferenceRequest:
    """Of (model, signature, method) for x = 2 and x = 3."""
    request = inference_pb2.MultiInferenceRequest(
        input={"example_list": {"examples": [example(x=2), example(x=3)]}}
    )
    for model, name, method in tasks:
        request.tasks.add(model_spec={"name": model, "signature_name": name}, method_name=method)
    return request


def test_an_answer_names_model_version_and_signature():
    request = classification_pb2.ClassificationRequest(
        model_spec={"name": "m", "signature_name": "classify", "version": {"value": 7}},
        input={"example_list": {"examples": [example(x=2)]}},
    )
    response, stage_ms = inference_apis.classify(AddsOne(), request, ALWAYS)
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 7, "classify")
    assert [each.classes[0].score for each in response.result.classifications] == [3]
    assert stage_ms == {"inference": 2.0}


def test_json_answers_are_lists_under_results():
    body = b'{"signature_name": "%s", "examples": [{"x": 2.0}, {"x": 3.0}]}'
    spec = ModelSpec("m")
    text, _ = inference_apis.classify_json(AddsOne(), spec, body % b"classify", ALWAYS)
    assert json.loads(text) == {"results": [[["", 3]], [["", 4]]]}
    text, _ = inference_apis.regress_json(AddsOne(), spec, body % b"regress", ALWAYS)
    assert json.loads(text) == {"results": [3, 4]}


def test_all_tasks_are_answered_in_order_by_the_version_that_answered_the_first():
    service = AddsOne()
    request = multi(("m", "regress", REGRESS_METHOD), ("m", "classify", CLASSIFY_METHOD))
    response, stage_ms = inference_apis.multi_inference(service, request, ALWAYS)
    first, second = response.results
    assert [each.value for each in first.regression_result.regressions] == [3, 4]
    assert second.classification_result.classifications[1].classes[0].score == 4
    assert [each.model_spec.version.value for each in response.results] == [1, 1]
    assert service.versions == [None, 1]
    assert stage_ms == {"inference": 4.0}


@pytest.mark.parametrize(
    ("tasks", "error", "text"),
    [
        ([], InvalidArgument, "no tasks"),
        ([("", "regress", REGRESS_METHOD)], InvalidArgument, "Missing ModelSpec"),
        (
            [("m", "regress", REGRESS_METHOD), ("n", "classify", CLASSIFY_METHOD)],
            InvalidArgument,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name",
        ),
        (
            [("m", "regress", REGRESS_METHOD)] * 2,
            InvalidArgument,
            "Duplicate evaluation of signature: regress",
        ),
        (
            [("m", "regress", PREDICT_METHOD)],
            Unimplemented,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([("m", "nix", REGRESS_METHOD)], InvalidArgument, "No signature was found with the name: nix"),
    ],
)
def test_tasks_that_can_not_be_done_together_are_refused(tasks, error, text):
    with pytest.raises(error) as caught:
        inference_apis.multi_inference(AddsOne(), multi(*tasks), ALWAYS)
    assert text in caught.value.message
