"""Tensors of every type go through the server and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from experiment.protocol import tensor_pb2, types_pb2
from tests.support.models.servables import servable
from tests.support.processes.model_server import model_server
from tests.support.processes.serving_client import array, floats, strings


@pytest.fixture(scope="module")
def server():
    with model_server("--model_name=echo", f"--model_base_path={servable('echo')}") as server:
        yield server


NUMPY = {
    **{name: name for name in ("float32", "float64", "int8", "int16", "int32", "int64", "float16")},
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64", "complex64", "complex128", "bool")},
}
FIELDS = {
    **{"float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val"},
    **{"uint32": "uint32_val", "uint64": "uint64_val"},
}


def data_type(name: str) -> int:
    numbers = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}
    return types_pb2.DataType.Value("DT_" + numbers.get(name, name.upper()))


@pytest.mark.parametrize("name", NUMPY)
def test_every_type_comes_back_as_it_was_sent(server, name):
    values = np.array([[0, 1], [1, 3]]).astype(NUMPY[name])
    shape = {"dim": [{"size": 2}, {"size": 2}]}
    proto = tensor_pb2.TensorProto(dtype=data_type(name), tensor_shape=shape, tensor_content=values.tobytes())
    answer = server.predict("echo", signature=name, inputs={"x": proto}).outputs["y"]
    assert answer.dtype == proto.dtype
    assert decoded(answer, name) == values.ravel().tolist()


def decoded(proto: tensor_pb2.TensorProto, name: str) -> list[object]:
    """As tf.make_ndarray reads it: from tensor_content, or from the field of the type."""
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, name).tolist()
    if name == "float16":
        return np.array(proto.half_val, np.uint16).view(np.float16).tolist()
    if name.startswith("complex"):
        pairs = proto.scomplex_val if name == "complex64" else proto.dcomplex_val
        return [complex(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
    return list(getattr(proto, FIELDS.get(name, "int_val")))


def test_bfloat16_comes_back_as_it_was_sent(server):
    bits = [0x3F80, 0x4040]  # 1 and 3
    proto = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_BFLOAT16, tensor_shape={"dim": [{"size": 2}]}, half_val=bits
    )
    answer = server.predict("echo", signature="bfloat16", inputs={"x": proto}).outputs["y"]
    assert list(answer.half_val) == bits or answer.tensor_content == np.array(bits, np.uint16).tobytes()


def test_a_number_without_dimensions_and_value_is_zero_as_one_with_dimensions_is(server):
    for shape in ({}, {"dim": [{"size": 1}]}):
        proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=shape)
        answer = server.predict("echo", signature="float32", inputs={"x": proto}).outputs["y"]
        assert list(answer.float_val) == [0.0]


def test_strings_of_any_bytes_come_back(server):
    answer = server.predict("echo", signature="string", inputs={"x": strings(b"", b"\xff\0", b"a" * 1000)})
    assert list(answer.outputs["y"].string_val) == [b"", b"\xff\0", b"a" * 1000]


def test_an_answer_of_many_values_comes_whole(server):
    values = np.arange(200_000, dtype=np.float32)
    answer = server.predict("echo", signature="float32", inputs={"x": floats(values)}).outputs["y"]
    assert array(answer).tolist() == values.tolist()
