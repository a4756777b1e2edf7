"""SavedModels with TensorFlow, in a session as in TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorflow.core.protobuf import config_pb2

from common.words import first_line
from serving import errors
from serving.errors import LoadFailed
from serving.machine.devices import gpu_name
from serving.runtimes.base import F32, About, Arrays, Setting
from serving.tensorflow_c.library import CallFailed, library
from serving.tensorflow_c.session import Plan, Session
from serving.tensorflow_c.tensor import tensor_of
from serving.values.signatures import INTERNAL_SIGNATURES, Signature

PREFIX = "Graph execution error:"
NODE = "[[{{node"  # what follows is a place in the graph, which clients don't know
# By the numbers of tensorflow/c/tsl/tsl_status.h, which are gRPC's.
ERRORS: dict[int, type[errors.ServingError]] = {
    1: errors.Cancelled,
    3: errors.InvalidArgument,
    4: errors.DeadlineExceeded,
    5: errors.NotFound,
    8: errors.Overloaded,
    9: errors.FailedPrecondition,
    11: errors.InvalidArgument,  # OUT_OF_RANGE: truncated data
    12: errors.Unimplemented,
    14: errors.Unavailable,
}


def load(file: Path, setting: Setting) -> TensorFlowModel:
    """Raises LoadFailed when the files are damaged or have no signature."""
    try:
        session = Session(file.parent, setting.saved_model_tags, _config(setting))
    except CallFailed as problem:
        raise LoadFailed(
            f"{file} can't be loaded: {_reason(problem)} Export the model again, "
            "or inspect it with `python -m models check`."
        ) from problem
    model = TensorFlowModel(session, in_callers_thread=setting.threads == 1)
    if not model.signatures:
        session.close()
        raise LoadFailed(f"{file.parent} has no signature, so it can't serve requests. Export one.")
    return model


class TensorFlowModel:
    """One SavedModel in a session."""

    def __init__(self, session: Session, in_callers_thread: bool):
        self._session = session
        self.signatures: dict[str, Signature] = {}
        self._plans: dict[str, Plan] = {}
        for name, definition in session.signatures.items():
            if name.startswith(INTERNAL_SIGNATURES):
                continue
            try:
                inputs = [session.output(info.name) for _, info in sorted(definition.inputs.items())]
                outputs = [session.output(info.name) for _, info in sorted(definition.outputs.items())]
            except KeyError:
                continue  # sparse and composite tensors have no single name; Predict can't send them
            self.signatures[name] = Signature.from_proto(name, definition)
            self._plans[name] = Plan(inputs, outputs, in_callers_thread)
        self.about = _about(session)

    def infer(self, signature_name: str, inputs: Arrays) -> Mapping[str, object]:
        """All outputs of a signature by name, because the first run with other outputs would be slow.

        Raises ServingError.
        """
        signature = self.signatures[signature_name]
        try:
            fed = [tensor_of(inputs[alias]) for alias in signature.inputs]
            results = self._session.run(self._plans[signature_name], fed)
        except CallFailed as problem:
            raise ERRORS.get(problem.code, errors.ServingError)(_reason(problem)) from problem
        return {alias: tensor.array() for alias, tensor in zip(signature.outputs, results, strict=True)}

    def close(self) -> None:
        self._session.close()


def _reason(problem: CallFailed) -> str:
    """What went wrong, without the prefix, the graph nodes and the traceback of TensorFlow's message."""
    return first_line(problem.message.removeprefix(PREFIX).partition(NODE)[0], "TensorFlow gave no reason")


def _about(session: Session) -> About:
    version = library().TF_Version().decode()
    gpus = [device for device in session.devices() if device.type == "GPU"]
    if not gpus:
        return About(f"TensorFlow {version}", F32, "CPU")
    return About(f"TensorFlow {version}", F32, "GPU", gpu_name(), gpus[0].memory_bytes)


def _config(setting: Setting) -> config_pb2.ConfigProto:
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=setting.threads,
        inter_op_parallelism_threads=setting.inter_op_threads,
        allow_soft_placement=True,  # a model exported on another kind of device
    )
    if setting.gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = setting.gpu_memory_fraction
    else:
        config.gpu_options.allow_growth = True  # several servers may share one GPU
    if not setting.use_gpu:
        config.device_count["GPU"] = 0
    return config
