"""TensorFlow Serving's gRPC API. Translates to the service and back, decides nothing.

Protocol: tensorflow_serving/apis/{prediction,model}_service.proto, grpc.health.v1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from serving.errors import InvalidArgument, ServingError, Unimplemented
from serving.service import ModelSpec, Question, Service, Status
from serving.tensors import to_array, to_proto

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
DETAILS_LIMIT = 1000  # characters; details travel in a header, and headers are limited to 8 kB

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Method:
    """One row of the API: how to read its request, and what answers it."""

    parse: Callable[[bytes], Any]
    answer: Callable[[Any, grpc.ServicerContext], Any]


class GrpcApi:
    """The methods of both services, and the health of the server."""

    def __init__(self, service: Service):
        self._service = service
        self.health = HealthServicer()
        self.set_serving(False)

    def set_serving(self, is_serving: bool) -> None:
        """What grpc.health.v1 answers, for the server as a whole and for each service."""
        states = health_pb2.HealthCheckResponse
        state = states.SERVING if is_serving else states.NOT_SERVING
        for name in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self.health.set(name, state)

    def add_to(self, server: grpc.Server) -> None:
        predict, metadata = predict_pb2.PredictRequest, get_model_metadata_pb2.GetModelMetadataRequest
        status = get_model_status_pb2.GetModelStatusRequest
        prediction = {
            "Predict": Method(predict.FromString, self.predict),
            "GetModelMetadata": Method(metadata.FromString, self.metadata),
            "Classify": _missing("Classify"),
            "Regress": _missing("Regress"),
            "MultiInference": _missing("MultiInference"),
        }
        model = {
            "GetModelStatus": Method(status.FromString, self.status),
            "HandleReloadConfigRequest": _missing("HandleReloadConfigRequest"),
        }
        server.add_generic_rpc_handlers(
            (_handler(PREDICTION_SERVICE, prediction), _handler(MODEL_SERVICE, model))
        )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)

    def predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        question = Question(
            model=_spec(request.model_spec),
            signature_name=request.model_spec.signature_name,
            inputs={alias: to_array(alias, proto) for alias, proto in request.inputs.items()},
            output_filter=tuple(request.output_filter),
        )
        answer = self._service.predict(question, is_wanted=context.is_active)
        context.set_trailing_metadata(_stage_metadata(answer.stage_ms))
        return predict_pb2.PredictResponse(
            model_spec=_spec_proto(answer.model, answer.signature_name),
            outputs={alias: to_proto(array) for alias, array in answer.outputs.items()},
        )

    def metadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        if not request.metadata_field:
            raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != "signature_def":
                raise InvalidArgument(f"Metadata field {name} is not supported")
        definitions = self._service.definitions(_spec(request.model_spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(
            model_spec=_spec_proto(self._service.model)
        )
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=definitions)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(self, request: Any, context: grpc.ServicerContext) -> Any:
        status = self._service.status(_spec(request.model_spec))
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=[_status_proto(status)])


def _handler(service_name: str, methods: Mapping[str, Method]) -> grpc.GenericRpcHandler:
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(_answering(name, method), response_serializer=_serialised)
        for name, method in methods.items()
    }
    return grpc.method_handlers_generic_handler(service_name, handlers)


def _answering(name: str, method: Method) -> Callable[[bytes, grpc.ServicerContext], Any]:
    """The one place where errors become gRPC statuses.

    Parses the request here: gRPC's own deserializer would answer INTERNAL to bytes that are no message.
    """

    def answer(message: bytes, context: grpc.ServicerContext) -> Any:
        try:
            return method.answer(method.parse(message), context)
        except DecodeError:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"The bytes sent to {name} are not its message.")
        except ServingError as problem:
            context.abort(grpc.StatusCode[problem.code], problem.message[:DETAILS_LIMIT])
        except Exception as bug:
            log.exception("Bug while answering %s", name)
            context.abort(grpc.StatusCode.INTERNAL, f"A bug in the server: {bug!r}"[:DETAILS_LIMIT])

    return answer


def _serialised(response: Any) -> bytes:
    return bytes(response.SerializeToString())


def _missing(name: str) -> Method:
    def refuse(message: bytes, context: grpc.ServicerContext) -> Any:
        raise Unimplemented(f"The embedded server has no {name}; TensorFlow Serving has. Use Predict here.")

    return Method(bytes, refuse)


def _spec(proto: model_pb2.ModelSpec) -> ModelSpec:
    if not proto.name:
        raise InvalidArgument("Missing ModelSpec")
    version = proto.version.value if proto.HasField("version") else None
    return ModelSpec(proto.name, version, proto.version_label)


def _spec_proto(spec: ModelSpec, signature_name: str = "") -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec(name=spec.name, version={"value": spec.version}, signature_name=signature_name)


def _status_proto(status: Status) -> get_model_status_pb2.ModelVersionStatus:
    failed = error_codes_pb2.Code.UNKNOWN if status.error_message else error_codes_pb2.Code.OK
    return get_model_status_pb2.ModelVersionStatus(
        version=status.version,
        state=get_model_status_pb2.ModelVersionStatus.State.Value(status.state),
        status={"error_code": failed, "error_message": status.error_message},
    )


def _stage_metadata(stage_ms: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    return tuple((f"pixelcost-{stage}-ms", f"{ms:.3f}") for stage, ms in stage_ms.items())
