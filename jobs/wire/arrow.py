"""Arrow IPC streams in the form of Cluster Serving's clients, read with care and written.

A column is an input: text, bytes, or a struct of `data` and `shape` (and of a sparse tensor its `indiceData`
and `indiceShape`), whose parts those clients put into rows of their own, with nulls in between. Anything else
is refused before it is unpacked: Arrow's compression, dictionaries and deep nesting could turn a small entry
into gigabytes, and none of the clients uses them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from experiment.backends.grpc import MOST_DIMENSIONS
from experiment.wording import one_line

MOST_COLUMNS: Final = 64
MOST_ROWS: Final = 16
MOST_SPARSE: Final = 4 * 1024 * 1024  # elements of a sparse tensor, which is made dense
FILE_BEGINS: Final = b"ARROW1\0\0"  # the file format: this, a stream, and an index that is not needed
PARTS: Final = {"data", "shape", "indiceData", "indiceShape"}

Value = str | bytes | np.ndarray


class BadArrow(ValueError):
    """What is wrong with the data, as a sentence."""


def read_inputs(data: bytes) -> dict[str, Value]:
    """The inputs by name. Raises BadArrow, and nothing else."""
    try:
        batch = _only_batch(data.removeprefix(FILE_BEGINS))
        names = batch.schema.names
        if len(set(names)) < len(names):
            raise BadArrow("Two inputs have the same name.")
        return {name: _value(name, column) for name, column in zip(names, batch.columns, strict=True)}
    except BadArrow:
        raise
    except MemoryError:
        raise BadArrow("The data is larger than this worker's memory.") from None
    except Exception as error:  # whatever pyarrow and NumPy raise on hostile bytes
        raise BadArrow(f"The data is not a whole Arrow stream ({one_line(str(error), 150)}).") from None


def write_inputs(inputs: Mapping[str, Value]) -> bytes:
    """What read_inputs() reads, in one row. Texts are arrays of objects."""
    columns = {name: _column(value) for name, value in inputs.items()}
    return _stream([pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))])


def write_result(arrays: Sequence[np.ndarray]) -> bytes | None:
    """Arrays as the clients read a result: a batch for each, its values and, beside the first of them, its
    shape. None: an array has no values, which their form can't say."""
    if any(not array.size for array in arrays):
        return None
    kind = np.result_type(*arrays)
    kind = np.dtype(np.uint8) if kind.kind == "b" else kind
    batches = []
    for array in arrays:
        # A shape longer than the values would not fit beside them; it can only be so long with sides of 1.
        sides = [side for side in array.shape if side > 1] if array.ndim > array.size else list(array.shape)
        known = np.packbits(np.arange(array.size) < len(sides), bitorder="little")
        shape = np.zeros(array.size, np.int32)
        shape[: len(sides)] = sides
        columns = [
            _flat(array.ravel().astype(kind)),
            pa.Array.from_buffers(pa.int32(), array.size, [pa.py_buffer(known), pa.py_buffer(shape)]),
        ]
        batches.append(pa.RecordBatch.from_arrays(columns, names=["data", "shape"]))
    return _stream(batches)


def read_result(data: bytes) -> np.ndarray | list[np.ndarray]:
    """What write_result() wrote: an array, or several. Raises BadArrow."""
    try:
        arrays = [
            np.from_dlpack(batch.column(0)).reshape([side for side in batch.column(1).to_pylist() if side])
            for batch in pa.ipc.open_stream(data)
        ]
    except (pa.ArrowException, ValueError, OSError) as error:
        raise BadArrow(f"A result can't be read ({one_line(str(error), 150)}).") from None
    return arrays[0] if len(arrays) == 1 else arrays


def _stream(batches: Sequence[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


# Arrays are made of buffers and read through DLPack, because pyarrow's own conversions import pandas where it
# is installed, which takes seconds and 50 MB.


def _column(value: Value) -> Any:
    if isinstance(value, bytes | str):
        return _texts([value], pa.binary() if isinstance(value, bytes) else pa.string())
    flat = value.ravel().astype(np.uint8) if value.dtype == bool else value.ravel()
    data = _texts(flat.tolist(), pa.string()) if flat.dtype == object else _flat(flat)
    parts = {"data": _list(data), "shape": _list(_flat(np.array(value.shape, np.int64)))}
    kind = pa.struct([(name, part.type) for name, part in parts.items()])
    return pa.Array.from_buffers(kind, 1, [None], children=list(parts.values()))


def _flat(values: np.ndarray) -> Any:
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _texts(values: Sequence[str | bytes], kind: Any) -> Any:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(kind, len(encoded), buffers)


def _list(values: Any) -> Any:
    ends = pa.py_buffer(np.array([0, len(values)], np.int32))
    return pa.Array.from_buffers(pa.list_(values.type), 1, [None, ends], children=[values])


def _only_batch(data: bytes) -> Any:
    if not data:
        raise BadArrow("The data is empty.")
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(data))
    schema_message = messages.read_next_message()
    if schema_message.type != "schema":
        raise BadArrow("The data is not an Arrow stream: it does not begin with a schema.")
    schema = pa.ipc.read_schema(schema_message)
    if not 0 < len(schema) <= MOST_COLUMNS:
        raise BadArrow(f"The data has {len(schema)} inputs; 1 to {MOST_COLUMNS} are read.")
    for field in schema:
        if not _is_known(field.type):
            raise BadArrow(f"The input {_short(field.name)} is of a kind that no client writes.")
    message = _next(messages)
    if message is None:
        raise BadArrow("The data has no record batch.")
    if message.type != "record batch" or _is_compressed(bytes(message.metadata)):
        raise BadArrow("The data is compressed or has dictionaries, which no client writes.")
    batch = pa.ipc.read_record_batch(message, schema)
    if batch.num_rows > MOST_ROWS:
        raise BadArrow(f"The data has {batch.num_rows:,} rows; at most {MOST_ROWS} are read.")
    batch.validate(full=True)  # else offsets may point anywhere
    if _next(messages) is not None:
        raise BadArrow(
            "The data has several record batches, so the inputs have no names. "
            "Send them as enqueue(uri, first=array, second=array)."
        )
    return batch


def _next(messages: Any) -> Any:
    try:
        return messages.read_next_message()
    except StopIteration:
        return None


def _is_known(kind: Any) -> bool:
    if not pa.types.is_struct(kind):
        return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))
    parts = [kind.field(number) for number in range(kind.num_fields)]
    names = [part.name for part in parts]
    return (
        {"data", "shape"} <= set(names) <= PARTS
        and len(set(names)) == len(names)
        and all(_is_known_part(part.name, part.type) for part in parts)
    )


def _is_known_part(name: str, kind: Any) -> bool:
    if not pa.types.is_list(kind):
        return False
    inner = kind.value_type
    if name == "data" and (pa.types.is_floating(inner) or pa.types.is_boolean(inner)):
        return True
    return bool(pa.types.is_integer(inner) or (name == "data" and pa.types.is_string(inner)))


def _is_compressed(metadata: bytes) -> bool:
    """Whether the buffers of a record batch are compressed: field 3 of RecordBatch, which is field 2 of
    Message (Message.fbs of Apache Arrow), as FlatBuffers lays them out. Raises struct.error."""
    message = struct.unpack_from("<I", metadata)[0]
    header = _flat_field(metadata, message, 2)
    if not header:
        return False
    batch = header + struct.unpack_from("<I", metadata, header)[0]
    return bool(_flat_field(metadata, batch, 3))


def _flat_field(data: bytes, table: int, number: int) -> int:
    """Where a field of a FlatBuffers table lies; 0: it is not there."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    slot = 4 + 2 * number
    if vtable < 0 or slot + 2 > struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", data, vtable + slot)[0]
    return table + offset if offset else 0


def _value(name: str, column: Any) -> Value:
    if not pa.types.is_struct(column.type):
        return _one(name, "value", column).as_py()  # type: ignore[no-any-return]
    parts = {
        column.type.field(number).name: _part(name, column.type.field(number).name, column.field(number))
        for number in range(column.type.num_fields)
    }
    shape = [int(side) for side in parts["shape"]]
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise BadArrow(f"The input {_short(name)} has the shape {shape[:10]}.")
    if len(parts.get("indiceData", ())):
        return dense(name, parts, shape)
    if math.prod(shape) != len(parts["data"]):
        raise BadArrow(f"The input {_short(name)} has the shape {shape}, and {len(parts['data']):,} values.")
    return parts["data"].reshape(shape)


def _part(name: str, part: str, column: Any) -> np.ndarray:
    """The values in the only row that has some. A part of a dense tensor may be missing."""
    if part.startswith("indice") and column.null_count == len(column):
        return np.empty(0, np.int64)
    values = _one(name, part, column).values
    if values.null_count:
        raise BadArrow(f"The input {_short(name)} has values that are missing.")
    if pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
        return np.array(values.to_pylist(), object if pa.types.is_string(values.type) else bool)
    return np.from_dlpack(values) if len(values) else np.empty(0, np.int64)


def _one(name: str, part: str, column: Any) -> Any:
    rows = [row for row in range(len(column)) if column[row].is_valid]
    if len(rows) != 1:
        raise BadArrow(f"The input {_short(name)} has {len(rows)} rows of {part}; one is expected.")
    return column[rows[0]]


def dense(name: str, parts: Mapping[str, np.ndarray], shape: list[int]) -> np.ndarray:
    """A sparse tensor as the array that it stands for: `data`, `indiceData` and `indiceShape`.

    The places are a table with a row for each dimension, as BigDL has them; with a column for each, as
    TensorFlow has them, if only that fits.
    """
    values, count = parts["data"], len(parts["data"])
    table = [int(side) for side in parts.get("indiceShape", ())]
    places = parts["indiceData"]
    if math.prod(shape) > MOST_SPARSE:
        raise BadArrow(f"The sparse input {_short(name)} has the shape {shape}, which is too large.")
    if math.prod(table) != len(places) or table not in ([len(shape), count], [count, len(shape)]):
        raise BadArrow(
            f"The sparse input {_short(name)} has places of shape {table}; for {count} values in "
            f"{len(shape)} dimensions [{len(shape)}, {count}] is expected."
        )
    places = places.reshape(table)
    if table != [len(shape), count]:
        places = places.T
    if (places < 0).any() or (places >= np.array(shape).reshape(-1, 1)).any():
        raise BadArrow(f"The sparse input {_short(name)} has places outside its shape {shape}.")
    made = np.zeros(shape, values.dtype)
    made[tuple(places)] = values
    return made


def _short(name: str) -> str:
    return one_line(name, 40) or '""'
