"""A session of TensorFlow: load a SavedModel, run it, close it, and list the devices."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import c_char_p, c_void_p
from dataclasses import dataclass
from pathlib import Path

from tensorflow.core.protobuf import config_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef

from common import wire
from serving.tensorflow_c.library import Buffer, CallFailed, Output, Status, library
from serving.tensorflow_c.tensor import Tensor

CALLERS_THREAD = -1  # RunOptions.inter_op_thread_pool


@dataclass(frozen=True)
class Device:
    """One device that a session may use."""

    type: str  # "CPU" or "GPU"
    memory_bytes: int


class Session:
    """A loaded SavedModel. `run` may be called from several threads at once."""

    def __init__(self, directory: Path, tags: Sequence[str], config: config_pb2.ConfigProto):
        """Raises CallFailed."""
        tf = library()
        self._graph = c_void_p(tf.TF_NewGraph())
        meta_graph = tf.TF_NewBuffer()
        options = c_void_p(tf.TF_NewSessionOptions())
        text = config.SerializeToString()
        names = (c_char_p * len(tags))(*(tag.encode() for tag in tags))
        try:
            with Status() as status:
                tf.TF_SetConfig(options, text, len(text), status)
            with Status() as status:
                handle = tf.TF_LoadSessionFromSavedModel(
                    options, None, str(directory).encode(), names, len(tags), self._graph, meta_graph, status
                )
            self._session = c_void_p(handle)
            self.signatures = _signature_defs(meta_graph.contents)
        except CallFailed:
            tf.TF_DeleteGraph(self._graph)
            raise
        finally:
            tf.TF_DeleteBuffer(meta_graph)
            tf.TF_DeleteSessionOptions(options)

    def output(self, tensor_name: str) -> Output:
        """The output called "node:0" in this graph. Raises KeyError if the graph does not have the node."""
        node, _, index = tensor_name.partition(":")
        operation = library().TF_GraphOperationByName(self._graph, node.encode())
        if not operation:
            raise KeyError(tensor_name)
        return Output(operation, int(index or 0))

    def run(self, plan: Plan, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs of the plan for these inputs. Raises CallFailed."""
        tf = library()
        values = (c_void_p * max(1, len(inputs)))(*(tensor.handle for tensor in inputs))
        results = (c_void_p * max(1, plan.output_count))()
        with Status() as status:
            tf.TF_SessionRun(
                *(self._session, plan.options),
                *(plan.inputs, values, len(inputs), plan.outputs, results, plan.output_count),
                *(None, 0, None, status),
            )
        return [Tensor(results[index] or 0) for index in range(plan.output_count)]

    def devices(self) -> list[Device]:
        """The devices that the session may use."""
        return _devices_of(self._session)

    def close(self) -> None:
        """Give the memory back. No run may be in progress."""
        tf = library()
        with Status() as status:
            tf.TF_CloseSession(self._session, status)
        with Status() as status:
            tf.TF_DeleteSession(self._session, status)
        tf.TF_DeleteGraph(self._graph)


def _devices_of(session: c_void_p) -> list[Device]:
    tf = library()
    with Status() as status:
        found = c_void_p(tf.TF_SessionListDevices(session, status))
    devices = []
    for index in range(tf.TF_DeviceListCount(found)):
        with Status() as status:
            kind = tf.TF_DeviceListType(found, index, status).decode()
        with Status() as status:
            devices.append(Device(kind, tf.TF_DeviceListMemoryBytes(found, index, status)))
    tf.TF_DeleteDeviceList(found)
    return devices


def devices() -> list[Device]:
    """The devices that TensorFlow can use in this process. Starts them, which takes a moment on a GPU."""
    tf = library()
    graph, options = c_void_p(tf.TF_NewGraph()), c_void_p(tf.TF_NewSessionOptions())
    with Status() as status:
        session = c_void_p(tf.TF_NewSession(graph, options, status))
    found = _devices_of(session)
    with Status() as status:
        tf.TF_DeleteSession(session, status)
    tf.TF_DeleteSessionOptions(options)
    tf.TF_DeleteGraph(graph)
    return found


class Plan:
    """The inputs to feed and the outputs to fetch, looked up once for many runs."""

    def __init__(self, inputs: Sequence[Output], outputs: Sequence[Output], in_callers_thread: bool):
        self.inputs = (Output * max(1, len(inputs)))(*inputs)
        self.outputs = (Output * max(1, len(outputs)))(*outputs)
        self.output_count = len(outputs)
        pool = CALLERS_THREAD if in_callers_thread else 0
        text = config_pb2.RunOptions(inter_op_thread_pool=pool).SerializeToString()
        self.options = library().TF_NewBufferFromString(text, len(text))

    def __del__(self) -> None:
        library().TF_DeleteBuffer(self.options)


def _signature_defs(buffer: Buffer) -> Mapping[str, SignatureDef]:
    """The signatures in a serialised MetaGraphDef, without parsing the graph in it.

    A graph can hold 100 MB of constants, and parsing them would stop every other thread.
    """
    meta_graph = memoryview((ctypes.c_ubyte * buffer.length).from_address(buffer.data)).cast("B")
    entries = wire.messages(meta_graph, MetaGraphDef.SIGNATURE_DEF_FIELD_NUMBER)
    parsed = map(MetaGraphDef.SignatureDefEntry.FromString, entries)
    return {entry.key: entry.value for entry in parsed}
