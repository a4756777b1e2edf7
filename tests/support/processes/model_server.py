"""A server started as people start tensorflow_model_server, and a client that knows only its protocol."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import requests

# First: it lets the messages load without TensorFlow.
from experiment.protocol import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    tensor_pb2,
)

from tensorflow.core.example import example_pb2  # isort: skip
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.support.processes.app_process import free_port
from tests.support.processes.serving_client import Client

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 60
CALL_S = 10


@dataclass(frozen=True)
class ModelServer:
    """A ready server."""

    process: subprocess.Popen[bytes]
    address: str  # of gRPC
    client: Client
    rest_url: str  # http://127.0.0.1:port
    log_path: Path

    def log(self) -> str:
        """Everything it printed so far."""
        return self.log_path.read_text("utf-8", "replace")

    def predict(self, model: str, x: Iterable[float] = (2.0,), **asked: Any) -> predict_pb2.PredictResponse:
        """Of numbers as input `x`, unless `inputs` says it all."""
        inputs = asked.pop("inputs", None) or {"x": numbers(*x)}
        output_filter = asked.pop("output_filter", ())
        request = predict_pb2.PredictRequest(
            model_spec=spec(model, **asked), inputs=inputs, output_filter=output_filter
        )
        return self.client.prediction.Predict(request, timeout=CALL_S)

    def y(self, model: str, x: Iterable[float] = (2.0,), **asked: Any) -> list[float]:
        """Output `y` of predict."""
        return list(self.predict(model, x, **asked).outputs["y"].float_val)

    def classify(self, model: str, *examples: Any, **asked: Any) -> classification_pb2.ClassificationResponse:
        request = classification_pb2.ClassificationRequest(
            model_spec=spec(model, **asked), input=example_list(*examples)
        )
        return self.client.prediction.Classify(request, timeout=CALL_S)

    def regress(self, model: str, *examples: Any, **asked: Any) -> regression_pb2.RegressionResponse:
        request = regression_pb2.RegressionRequest(
            model_spec=spec(model, **asked), input=example_list(*examples)
        )
        return self.client.prediction.Regress(request, timeout=CALL_S)

    def multi(self, model: str, tasks: Mapping[str, str]) -> inference_pb2.MultiInferenceResponse:
        """Signature to kind ("classify", "regress"), of x = 2."""
        request = inference_pb2.MultiInferenceRequest(input=example_list({"x": 2.0}))
        for name, kind in tasks.items():
            request.tasks.add(
                model_spec=spec(model, signature=name), method_name=f"tensorflow/serving/{kind}"
            )
        return self.client.prediction.MultiInference(request, timeout=CALL_S)

    def status(self, model: str, **asked: Any) -> dict[int, str]:
        """Version to state, in the order of the answer."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec(model, **asked))
        versions = self.client.model.GetModelStatus(request, timeout=CALL_S).model_version_status
        states = get_model_status_pb2.ModelVersionStatus.State
        return {version.version: states.Name(version.state) for version in versions}

    def metadata(self, model: str, *fields: str) -> get_model_metadata_pb2.GetModelMetadataResponse:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec(model), metadata_field=fields or ("signature_def",)
        )
        return self.client.prediction.GetModelMetadata(request, timeout=CALL_S)

    def reload(self, config: str) -> model_management_pb2.ReloadConfigResponse:
        message = text_format.Parse(config, model_server_config_pb2.ModelServerConfig())
        request = model_management_pb2.ReloadConfigRequest(config=message)
        return self.client.model.HandleReloadConfigRequest(request, timeout=TIMEOUT_S)

    def post(self, path: str, body: Any) -> requests.Response:
        """A path like half_plus_two:predict."""
        return requests.post(f"{self.rest_url}/v1/models/{path}", json=body, timeout=CALL_S)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.rest_url}/v1/models/{path}", timeout=CALL_S)


def spec(model: str, signature: str = "", version: int | None = None, label: str = "") -> model_pb2.ModelSpec:
    proto = model_pb2.ModelSpec(name=model, signature_name=signature, version_label=label)
    if version is not None:
        proto.version.value = version
    return proto


def numbers(*values: float) -> tensor_pb2.TensorProto:
    """DT_FLOAT [n], its values in the field of their type."""
    return tensor_pb2.TensorProto(dtype=1, tensor_shape={"dim": [{"size": len(values)}]}, float_val=values)


def example_list(*examples: Mapping[str, float]) -> input_pb2.Input:
    """Examples whose features are one decimal number each."""
    messages = []
    for features in examples:
        message = example_pb2.Example()
        for name, value in features.items():
            message.features.feature[name].float_list.value.append(value)
        messages.append(message)
    return input_pb2.Input(example_list={"examples": messages})


def one_model(name: str, base: Path, more: str = "") -> str:
    """A `config` of a model_config_list."""
    return f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'


def model_list(*configs: str) -> str:
    """A ModelServerConfig as text."""
    return "model_config_list {\n" + "\n".join(configs) + "\n}\n"


@contextmanager
def model_server(*flags: str, credentials: grpc.ChannelCredentials | None = None) -> Iterator[ModelServer]:
    """A server with these flags and free ports, ready as TensorFlow Serving's own test suite asks it."""
    grpc_port, rest_port = free_port(), free_port()
    ports = (f"--port={grpc_port}", f"--rest_api_port={rest_port}", "--host=127.0.0.1", "--device=cpu")
    with tempfile.NamedTemporaryFile(prefix="serving-", suffix=".log") as log_file:
        command = [sys.executable, "-m", "serving", *ports, *flags]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file
        )
        address = f"127.0.0.1:{grpc_port}"
        client = Client(address, credentials)
        server = ModelServer(process, address, client, f"http://127.0.0.1:{rest_port}", Path(log_file.name))
        try:
            eventually(lambda: _is_ready(server), server)
            yield server
        finally:
            client.channel.close()
            process.kill()
            process.wait()


def eventually(is_so: Callable[[], Any], server: ModelServer) -> None:
    """Wait until it is so; fail with all the server printed when it ends or takes too long."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert server.process.poll() is None, f"the server ended:\n{server.log()}"
        assert time.monotonic() < deadline, f"it never came so:\n{server.log()}"
        time.sleep(0.02)


def _is_ready(server: ModelServer) -> bool:
    try:
        server.predict("intentionally_missing_model")
    except grpc.RpcError as problem:
        return "Servable" in problem.details()
    return False
