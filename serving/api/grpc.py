"""TensorFlow Serving's gRPC API: translates requests for the service, and its answers back.

Protocol: tensorflow_serving/apis/{prediction,model}_service.proto, grpc.health.v1.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from common import traces
from serving.api.inference_apis import classify, multi_inference, regress
from serving.api.traced import traced_method
from serving.errors import InvalidArgument, LoadFailed, ServingError, Unknown, as_text
from serving.metrics import GRPC, OK
from serving.models.config import from_proto
from serving.models.served_model import ModelSpec
from serving.models.version import Status
from serving.service import Caller, Question, Service
from serving.values.tensors import header, to_array, to_proto

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
# Details are sent in a header, and clients replace the error of a call whose headers are over 8 kB.
DETAILS_LIMIT = 1000  # characters
DETAILS_LIMIT_BYTES = 4000  # as sent: every byte that is not ASCII takes three

log = logging.getLogger(__name__)


Method = Callable[[Any, grpc.ServicerContext], Any]  # from a request message to its response
Answering = Callable[[bytes, grpc.ServicerContext], bytes]


class GrpcApi:
    """The methods of PredictionService and ModelService, and the server's health."""

    def __init__(self, service: Service, about: Callable[[ModelSpec], str]):
        self._service = service
        self._about = about  # a model's runtime and hardware, as JSON
        self.health = HealthServicer()
        self.set_serving(False)
        services: dict[str, dict[str, tuple[Any, Method]]] = {
            PREDICTION_SERVICE: {
                "Predict": (predict_pb2.PredictRequest, self.predict),
                "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, self.metadata),
                "Classify": (classification_pb2.ClassificationRequest, self._of_examples(classify)),
                "Regress": (regression_pb2.RegressionRequest, self._of_examples(regress)),
                "MultiInference": (inference_pb2.MultiInferenceRequest, self._of_examples(multi_inference)),
            },
            MODEL_SERVICE: {
                "GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, self.status),
                "HandleReloadConfigRequest": (model_management_pb2.ReloadConfigRequest, self.reload),
            },
        }
        self.methods: dict[str, Answering] = {
            f"/{service_name}/{name}": self._answering(name, request_type, method)
            for service_name, methods in services.items()
            for name, (request_type, method) in methods.items()
        }
        if traces.is_on():
            self.methods = {path: traced_method(path, answer) for path, answer in self.methods.items()}

    def set_serving(self, is_serving: bool) -> None:
        """Set what grpc.health.v1 answers, for the whole server and for both services."""
        states = health_pb2.HealthCheckResponse
        state = states.SERVING if is_serving else states.NOT_SERVING
        for name in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self.health.set(name, state)

    def add_to(self, server: grpc.Server) -> None:
        """Register the methods and the health service."""
        server.add_generic_rpc_handlers((_Handlers(self.methods),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)

    def predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        spec, name = ModelSpec.from_proto(request.model_spec), request.model_spec.signature_name
        # Compared with the signature first: a tensor that does not fit it takes no memory.
        signature = self._service.signature(spec, name)
        signature.check_inputs({alias: header(alias, proto) for alias, proto in request.inputs.items()})
        inputs = {alias: to_array(alias, proto) for alias, proto in request.inputs.items()}
        question = Question(spec, name, inputs, tuple(request.output_filter))
        answer = self._service.predict(question, caller_of(context))
        context.set_trailing_metadata(_stage_metadata(answer.stage_ms))
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(answer.model.as_proto(answer.signature_name))
        for alias, array in answer.outputs.items():
            to_proto(array, response.outputs[alias])  # written in place: a map copies its values
        return response

    def _of_examples(self, compute: Callable[..., Any]) -> Method:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            response, stage_ms = compute(self._service, request, caller_of(context))
            context.set_trailing_metadata(_stage_metadata(stage_ms))
            return response

        return answer

    def metadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        if not request.metadata_field:
            raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != "signature_def":
                raise InvalidArgument(f"Metadata field {name} is not supported")
        model, definitions = self._service.definitions(ModelSpec.from_proto(request.model_spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=model.as_proto())
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=definitions)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(self, request: Any, context: grpc.ServicerContext) -> Any:
        spec = ModelSpec.from_proto(request.model_spec)
        statuses = [_status_proto(status) for status in self._service.statuses(spec)]
        context.set_trailing_metadata((("pixelcost-about", self._about(spec)),))
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)

    def reload(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise InvalidArgument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        try:
            self._service.reload(from_proto(request.config))
        except LoadFailed as problem:
            raise Unknown(str(problem)) from problem
        return model_management_pb2.ReloadConfigResponse()

    def _answering(self, name: str, request_type: Any, method: Method) -> Answering:
        """A method with bytes in and out: parses the request, and turns errors into gRPC statuses.

        gRPC's own deserializer would answer INTERNAL to bytes that are not a message.
        """

        def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
            started = time.perf_counter()
            request = None
            try:
                request = request_type.FromString(message)
                response = bytes(method(request, context).SerializeToString())
                self._count(name, request, OK, started)
                return response
            except DecodeError:
                problem: ServingError = InvalidArgument(f"The bytes sent to {name} are not its message.")
            except ServingError as expected:
                problem = expected
            except Exception as bug:
                log.exception("Bug while answering %s", name)
                problem = ServingError(f"A bug in the server: {bug!r}")
            self._count(name, request, problem.code, started)
            return _abort(context, problem)

        return answer

    def _count(self, name: str, request: Any, status: str, started: float) -> None:
        tasks = getattr(request, "tasks", None)  # of a MultiInferenceRequest; all are for one model
        spec = tasks[0].model_spec if tasks else getattr(request, "model_spec", None)
        model = spec.name if spec is not None and self._service.is_served(spec.name) else ""
        self._service.metrics.answered(model, name, GRPC, status, time.perf_counter() - started)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
    """The methods by path, with bytes in and bytes out."""

    def __init__(self, methods: Mapping[str, Answering]):
        self._handlers = {
            path: grpc.unary_unary_rpc_method_handler(answer) for path, answer in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._handlers.get(handler_call_details.method)


def caller_of(context: grpc.ServicerContext) -> Caller:
    """The deadline of the call, and whether its client still waits."""
    left_s = context.time_remaining()
    deadline = None if left_s is None else time.perf_counter() + left_s
    return Caller(deadline, context.is_active)


def _abort(context: grpc.ServicerContext, problem: ServingError) -> NoReturn:
    """End the call with an error. gRPC's retries obey the hint in its metadata (proposal A6)."""
    retry_after_s = getattr(problem, "retry_after_s", None)
    if retry_after_s is not None:
        context.set_trailing_metadata((("grpc-retry-pushback-ms", str(int(retry_after_s * 1e3) + 1)),))
    text = as_text(problem.message[:DETAILS_LIMIT])
    ends = accumulate(1 if character.isascii() else 3 * len(character.encode()) for character in text)
    context.abort(grpc.StatusCode[problem.code], text[: bisect_right(list(ends), DETAILS_LIMIT_BYTES)])
    raise AssertionError("abort returned")


def _status_proto(status: Status) -> get_model_status_pb2.ModelVersionStatus:
    failed = error_codes_pb2.Code.UNKNOWN if status.error_message else error_codes_pb2.Code.OK
    return get_model_status_pb2.ModelVersionStatus(
        version=status.version,
        state=get_model_status_pb2.ModelVersionStatus.State.Value(status.state),
        status={"error_code": failed, "error_message": status.error_message},
    )


def _stage_metadata(stage_ms: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    return tuple((f"pixelcost-{stage}-ms", f"{ms:.3f}") for stage, ms in stage_ms.items())
