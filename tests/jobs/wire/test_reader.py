"""Entries in all their forms, honest and hostile, and results as the old clients read them."""

from __future__ import annotations

import base64
import json
import resource
import struct
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment.queue.keys import FIRST_STREAM
from experiment.queue.records import QueueSettings
from jobs.records import REPLY_FIELD, Answered, Refused, Request
from jobs.wire.arrow import BadArrow, read_inputs, write_inputs, write_result
from jobs.wire.reader import ARRAY, CLASSES, INPUTS_FIELD, entry_reader
from tests.support.processes.serving_process import picture
from tests.support.queue.parts import claimed

READER = entry_reader(QueueSettings())
LIST = pa.list_(pa.float32())
TENSOR = pa.struct([("data", LIST), ("shape", pa.list_(pa.int32()))])


def stream(batch: pa.RecordBatch, **options) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def old(data: bytes) -> Request | Refused:
    """What is read of an entry of Cluster Serving's last clients."""
    return READER.read(claimed(data=base64.b64encode(data)), None)


def struct_column(rows: list, kind: pa.DataType = TENSOR) -> bytes:
    return stream(pa.record_batch([pa.array(rows, kind)], names=["t"]))


def test_an_own_entry_is_a_photo_by_its_hash_or_inputs():
    own = claimed(v=b"1", photo=b"0" * 64)
    assert READER.read(own, b"jpeg").image == b"jpeg"
    gone = READER.read(own, None)
    assert gone == Refused("photo_gone", "The photo of this job is no longer stored. Send it again.")
    sent = {
        "a": np.arange(6, dtype=np.int64).reshape(2, 3),
        "b": np.array(["x|y", "z"], object),
        "c": b"jpeg",
    }
    read = READER.read(claimed(v=b"1", **{INPUTS_FIELD: write_inputs(sent)}), None).tensors
    assert read["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and read["a"].dtype == np.int64
    assert read["b"].tolist() == ["x|y", "z"]
    assert read["c"].shape == () and read["c"].item() == b"jpeg"


def test_an_entry_of_the_first_clients_is_an_image_in_base64():
    image = picture("JPEG")
    assert READER.read(claimed(image=base64.b64encode(image)), None).image == image
    assert READER.read(claimed(image=b"!!"), None) == Refused("bad_input", "The field image is not base64.")


def test_an_entry_with_nothing_to_ask_says_what_it_holds():
    assert READER.read(claimed(text=b"hello"), None).reason == (
        "The entry holds no photo and no inputs, only text, uri."
    )


def test_text_is_an_image_if_it_is_one_in_base64_else_texts_between_bars():
    def text(value: str) -> Request | Refused:
        return old(stream(pa.record_batch([pa.array([value])], names=["t"])))

    image = picture("JPEG")
    assert text(base64.b64encode(image).decode()).image == image
    assert text("one|two").tensors["t"].tolist() == ["one", "two"]
    assert text("one").tensors["t"].tolist() == ["one"]


def test_a_sparse_tensor_has_its_places_by_dimension_as_bigdl_has_them_or_by_value():
    kind = pa.struct([("indiceData", pa.list_(pa.int32())), ("indiceShape", pa.list_(pa.int32())), *TENSOR])
    wanted = [[0, 7, 0], [0, 0, 9]]

    def sparse(places: np.ndarray) -> Request | Refused:
        rows = [
            {"indiceData": places.ravel()},
            {"indiceShape": places.shape},
            {"data": [7.0, 9.0]},
            {"shape": [2, 3]},
        ]
        return old(struct_column(rows, kind))

    assert sparse(np.array([[0, 1], [1, 2]])).tensors["t"].tolist() == wanted, "BigDL's, as both fit"
    outside = sparse(np.array([[0, 1], [1, 3]]))
    assert outside.reason == "The sparse input t has places outside its shape [2, 3]."
    three = [
        {"indiceData": [0, 0, 0, 1, 1, 2]},
        {"indiceShape": [3, 2]},
        {"data": [1, 2, 3]},
        {"shape": [2, 3]},
    ]
    assert old(struct_column(three, kind)).tensors["t"].tolist() == [[1, 2, 0], [0, 0, 3]]
    huge = [{"indiceData": [0]}, {"indiceShape": [1, 1]}, {"data": [1]}, {"shape": [2_000_000_000]}]
    assert "too large" in old(struct_column(huge, kind)).reason


DEEP = pa.int32()
for _ in range(60):
    DEEP = pa.list_(DEEP)
ZEROS = pa.array([{"data": np.zeros(4_000_000, np.float32), "shape": [4_000_000]}], TENSOR)
HOSTILE = {
    "huge shape": struct_column([{"data": [1.0]}, {"shape": [2**31 - 1, 2**31 - 1]}]),
    "negative side": struct_column([{"data": [1.0]}, {"shape": [-1, -1]}]),
    "many dimensions": struct_column([{"data": [1.0]}, {"shape": [1] * 70}]),
    "no shape": struct_column([{"data": [1.0]}, {}]),
    "two rows of data": struct_column([{"data": [1.0]}, {"data": [2.0]}, {"shape": [1]}]),
    "missing values": struct_column([{"data": [None]}, {"shape": [1]}]),
    "many rows": struct_column([{}] * 1000),
    "compressed": stream(pa.record_batch([ZEROS], names=["t"]), compression="zstd"),
    "dictionaries": stream(pa.record_batch([pa.array(["a"]).dictionary_encode()], names=["t"])),
    "deep nesting": stream(pa.record_batch([pa.array([None], DEEP)], names=["t"])),
    "endless nothing": stream(pa.record_batch([pa.nulls(100_000_000)], names=["t"])),
    "many columns": stream(pa.record_batch([pa.array(["a"])] * 65, names=list(map(str, range(65))))),
    "one name twice": stream(pa.record_batch([pa.array(["a"])] * 2, names=["t", "t"])),
    "no column": stream(pa.record_batch([], names=[])),
    "only a schema": pa.schema([("t", pa.string())]).serialize().to_pybytes(),
    "cut": stream(pa.record_batch([pa.array(["a"])], names=["t"]))[:200],
    "not arrow": b"hello" * 100,
    "a length of 2 GB": b"\xff\xff\xff\xff" + struct.pack("<i", 2**31 - 1) + b"x" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_data_is_refused_in_a_sentence_and_takes_no_memory(data):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = old(data)
    assert isinstance(refused, Refused) and refused.code == "bad_input"
    assert refused.reason.endswith(".") and len(refused.reason) < 300
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "KB"


def test_several_tensors_without_names_are_refused_because_which_is_which_is_not_known():
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([pa.array([{"data": [1.0]}, {"shape": [1]}], TENSOR)], names=["cat"])
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    assert "several record batches" in old(sink.getvalue().to_pybytes()).reason


GOOD = struct_column([{"data": [1.0, 2.0]}, {"shape": [2]}])


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_arrow_is_read_or_refused_and_nothing_else(changes):
    damaged = bytearray(GOOD)
    for place, value in changes:
        damaged[place] = value
    try:
        for value in read_inputs(bytes(damaged)).values():
            assert isinstance(value, str | bytes | np.ndarray)
    except BadArrow:
        pass


def read_as_they_do(value: bytes) -> np.ndarray:
    """The arithmetic of get_ndarray_from_b64."""
    batch = next(iter(pa.ipc.open_stream(base64.b64decode(value))))
    return batch[0].to_numpy().reshape([side for side in batch[1].to_pylist() if side])


@pytest.mark.parametrize("shape", [(10,), (2, 5), (1,), (1, 1, 1), (), (1, 3)])
def test_a_result_has_the_form_that_the_last_clients_read(shape):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    value = READER.encode(claimed(data=b""), Answered({}, array))
    read = read_as_they_do(value)
    assert read.ravel().tolist() == array.ravel().tolist()
    assert read.shape == (shape if shape != (1, 1, 1) else ()), "a shape longer than its values can't be said"


def test_reading_and_writing_imports_no_pandas():
    """pyarrow's own conversions do, where it is installed: seconds and 50 MB for each client and worker."""
    program = """
import sys, numpy as np
from jobs.wire.arrow import read_inputs, read_result, write_inputs, write_result
arrays = {"a": np.ones((2, 3)), "b": np.array(["x", "y"], object), "c": b"jpeg", "d": np.array([True])}
read = read_inputs(write_inputs(arrays))
assert read["a"].shape == (2, 3) and read["b"].tolist() == ["x", "y"] and read["d"].tolist() == [1]
assert [each.shape for each in read_result(write_result([np.ones(3), np.ones((1, 2))]))] == [(3,), (1, 2)]
assert "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_their_form_can_not_say_is_no_value():
    assert write_result([np.empty((0, 3))]) is None
    assert READER.encode(claimed(data=b""), Answered({}, None)) is None


def test_the_first_clients_read_the_best_class_as_json():
    first = entry_reader(QueueSettings(stream=FIRST_STREAM))
    scores = np.array([0.25, 0.5, 0.25], np.float32)
    assert json.loads(first.encode(claimed(image=b""), Answered({}, scores))) == {"1": "0.5"}
    best = np.array([[1, 0.5], [0, 0.25]], np.float32)
    assert json.loads(first.encode(claimed(image=b""), Answered({}, best))) == {"1": "0.5", "0": "0.25"}
    labels = Answered({"top": [{"label": "cat", "score": 0.5}]})
    assert json.loads(first.encode(claimed(image=b""), labels)) == {"cat": "0.5"}


def test_only_who_asks_gets_the_old_form_of_an_own_job():
    answered = Answered({}, np.array([0.5, 0.5], np.float32))
    assert READER.encode(claimed(v=b"1"), answered) is None
    assert read_as_they_do(
        READER.encode(claimed(v=b"1", **{REPLY_FIELD: ARRAY.encode()}), answered)
    ).tolist() == [
        0.5,
        0.5,
    ]
    assert READER.encode(claimed(v=b"1", **{REPLY_FIELD: CLASSES.encode()}), answered) == b'{"0": "0.5"}'
