"""Tensors and JSON as they travel: nothing is lost, bent, or takes more memory than it says."""

from __future__ import annotations

import json
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# First: it lets the messages load without TensorFlow.
from experiment.protocol import tensor_pb2, types_pb2  # isort: skip
from serving.api.rest_json import Body, answer_text
from serving.errors import InvalidArgument
from serving.values.signatures import Signature, TensorSpec
from serving.values.tensors import DTYPES, to_array, to_proto

# Tensors


# Hypothesis makes no bfloat16; test_conformance_apis.py sends some.
NUMERIC = sorted(set(DTYPES) - {types_pb2.DT_STRING, types_pb2.DT_BFLOAT16})


@given(st.sampled_from(NUMERIC).flatmap(lambda n: hnp.arrays(DTYPES[n].numpy, hnp.array_shapes(max_dims=3))))
def test_an_array_survives_the_way_through_a_message(array):
    back = to_array("x", to_proto(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_strings_survive_the_way_through_a_message():
    array = np.array([[b"a", b""], [b"\xff\0", b"d"]], dtype=object)
    assert to_array("x", to_proto(array)).tolist() == array.tolist()


def test_the_last_value_stands_for_all_that_follow():
    proto = tensor_pb2.TensorProto(dtype=1, tensor_shape={"dim": [{"size": 4}]}, float_val=[1, 2])
    assert to_array("x", proto).tolist() == [1, 2, 2, 2]


def message(dtype: int, *shape: int, **values) -> tensor_pb2.TensorProto:
    dims = {"dim": [{"size": size} for size in shape]}
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=dims, **values)


@pytest.mark.parametrize(
    ("proto", "why"),
    [
        (message(7, 33_554_332, string_val=[b""]), "holds 33554332 examples; at most 100000"),
        (message(7, 3, string_val=[b"a"]), "it says 3 strings and holds 1; send each of them"),
        (message(7, 3), "it says 3 strings and holds 0"),
        (message(1, 17_000_000, float_val=[0]), "so many may not be left out"),
        (message(1, 17_000_000), "so many may not be left out"),
        (message(1, 300_000, float_val=[1, 2]), "so many may not be left out"),
        (message(1, 200_000, 1, float_val=[1]), "holds 200000 examples; at most 100000"),
        (message(1, 2**62, 2**62), "is over 256 MiB"),
        (message(1, 2**40, 0), "is over 256 MiB"),
        (message(1, 2, tensor_content=b"12345"), "buffer size must be a multiple"),
        (message(1, 2, tensor_content=b"1234"), "cannot reshape"),
        (message(4, 1, int_val=[300]), "out of bounds"),
        (message(8, 2, scomplex_val=[1, 2, 3]), "not a whole number of elements"),
    ],
)
def test_a_message_that_says_more_than_it_holds_is_refused_without_the_memory_that_it_asks_for(proto, why):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArgument, match=re.escape(why)):
            to_array("x", proto)
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024**2
    finally:
        tracemalloc.stop()


def test_one_value_for_all_takes_no_memory_until_it_is_computed():
    """Zeros of a load test, as tf.make_tensor_proto(0.0, shape=[32, 224, 224, 3]) writes them."""
    array = to_array("x", message(1, 32, 224, 224, 3, float_val=[0.5]))
    assert (array.shape, array.strides, float(array[-1, -1, -1, -1])) == ((32, 224, 224, 3), (0,) * 4, 0.5)


def test_values_that_were_all_sent_are_taken_up_to_the_limit_of_a_message():
    assert to_array("x", message(1, 1_000_000, float_val=np.arange(1e6, dtype=np.float32)))[-1] == 999_999
    assert to_array("x", message(7, 2, string_val=[b"a", b"b", b"left out"])).tolist() == [b"a", b"b"]


SHAPES = st.lists(st.integers(-2, 2**40), max_size=4)


@given(
    st.integers(-1, 140),
    SHAPES,
    st.binary(max_size=40),
    st.lists(st.floats(width=32), max_size=3),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    st.lists(st.binary(max_size=3), max_size=3),
)
def test_a_hostile_message_is_refused_or_becomes_a_tensor_of_its_shape(
    dtype, shape, content, reals, ints, texts
):
    proto = tensor_pb2.TensorProto(tensor_content=content, float_val=reals, int_val=ints, string_val=texts)
    proto.dtype = dtype
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    try:
        array = to_array("x", proto)
    except InvalidArgument as problem:
        assert "Input 'x'" in problem.message
    else:
        assert array.shape == tuple(shape)
        assert array.dtype == DTYPES[dtype].numpy


# JSON


def spec(dtype: int, *shape: int | None) -> Signature:
    return Signature("s", {"x": TensorSpec(dtype, shape)}, {})


def read(signature: Signature, values: object) -> np.ndarray:
    return Body.parse(json.dumps({"inputs": values}).encode()).arrays(signature)["x"]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (types_pb2.DT_FLOAT, ["1.5"]),
        (types_pb2.DT_FLOAT, [True]),
        (types_pb2.DT_INT32, [1.5]),
        (types_pb2.DT_INT32, [2**31]),
        (types_pb2.DT_INT64, [2**70]),
        (types_pb2.DT_UINT8, [-1]),
        (types_pb2.DT_BOOL, [1]),
        (types_pb2.DT_STRING, [1]),
        (types_pb2.DT_STRING, [{"b64": "YQ==", "more": 1}]),
        (types_pb2.DT_STRING, [["a"], "b"]),
    ],
)
def test_json_values_of_another_type_are_refused_not_bent(dtype, values):
    with pytest.raises(InvalidArgument, match="Input 'x' can't be read as DT_"):
        read(spec(dtype, None), values)


def test_json_values_become_the_type_of_the_signature():
    assert read(spec(types_pb2.DT_FLOAT, None), [1, 2.5]).tolist() == [1.0, 2.5]
    assert read(spec(types_pb2.DT_UINT8, None), [0, 255]).dtype == np.uint8
    assert read(spec(types_pb2.DT_STRING, None), ["é", {"b64": "/w=="}]).tolist() == ["é".encode(), b"\xff"]


def test_outputs_of_different_batch_sizes_can_not_be_rows():
    outputs = {"a": np.zeros(2), "b": np.zeros(3)}
    assert json.loads(answer_text(outputs, is_rows=False))["outputs"]["b"] == [0, 0, 0]
    with pytest.raises(InvalidArgument, match="batch size"):
        answer_text(outputs, is_rows=True)


def test_a_single_output_comes_without_its_name():
    assert json.loads(answer_text({"a": np.eye(2)}, is_rows=True))["predictions"] == [[1, 0], [0, 1]]


def test_strings_whose_name_ends_in_bytes_are_base64():
    outputs = {"image_bytes": np.array([b"\xff"], dtype=object), "label": np.array([b"cat"], dtype=object)}
    (row,) = json.loads(answer_text(outputs, is_rows=True))["predictions"]
    assert row == {"image_bytes": {"b64": "/w=="}, "label": "cat"}
