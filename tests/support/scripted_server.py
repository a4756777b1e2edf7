"""A real gRPC and REST model server whose behaviour the test chooses. No TensorFlow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

from experiment.protocol import (
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    PREDICT,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    types_pb2,
)

STOCK_WORDS = "Unknown image file format. One of JPEG, PNG, GIF, BMP required."
BEGINS = {"image/webp": b"WEBP", "image/avif": b"avif"}  # from the ninth byte on
Answer = Callable[[bytes, grpc.ServicerContext], bytes]


def good_answer(
    classes: tuple[str, ...] = ("tabby", "tiger cat"), scores: tuple[float, ...] = (0.7, 0.2)
) -> bytes:
    """A serialised PredictResponse."""
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 1
    response.outputs["classes"].dtype = types_pb2.DT_STRING
    response.outputs["classes"].string_val.extend(each.encode() for each in classes)
    response.outputs["scores"].dtype = types_pb2.DT_FLOAT
    response.outputs["scores"].float_val.extend(scores)
    return response.SerializeToString()


def always(answer: bytes) -> Answer:
    """Answer this, whatever is asked."""
    return lambda request, context: answer


def aborting(code: grpc.StatusCode, details: str) -> Answer:
    """Refuse every request."""
    return lambda request, context: context.abort(code, details)


def hanging(seconds: float) -> Answer:
    """Answer too late; gives up when the client has hung up."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        deadline = time.monotonic() + seconds
        while context.is_active() and time.monotonic() < deadline:
            time.sleep(0.01)
        return good_answer()

    return answer


@contextmanager
def grpc_server(
    predict: Answer,
    port: int = 0,
    model: str = "inception",
    state: int = 30,
    input_dtype: int = types_pb2.DT_STRING,
    about: str | None = None,
    host: str = "127.0.0.1",
    decode_outputs: tuple[str, ...] = (),
    decode_input: str = "images",
) -> Iterator[str]:
    """Serve on loopback; yields the address. `about` goes out with the status, as our own server sends it.

    With `decode_outputs` or another `decode_input` the model has a signature decode_images too.
    """

    def status(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked = get_model_status_pb2.GetModelStatusRequest.FromString(request)
        if asked.model_spec.name != model:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {asked.model_spec.name}"
            )
        if about is not None:
            context.set_trailing_metadata((("pixelcost-about", about),))
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=3, state=state)
        return response.SerializeToString()

    def metadata(request: bytes, context: grpc.ServicerContext) -> bytes:
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signatures.signature_def["predict_images"].inputs["images"].dtype = input_dtype
        if decode_outputs or decode_input != "images":
            decode = signatures.signature_def["decode_images"]
            decode.inputs[decode_input].dtype = types_pb2.DT_STRING
            for name in decode_outputs:
                decode.outputs[name].dtype = types_pb2.DT_FLOAT
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(signatures)
        return response.SerializeToString()

    with serving(
        {PREDICT: predict, GET_MODEL_STATUS: status, GET_MODEL_METADATA: metadata}, port, host
    ) as address:
        yield address


@contextmanager
def serving(
    handlers: dict[str, Answer], port: int = 0, host: str = "127.0.0.1", answer_limit_bytes: int = 0
) -> Iterator[str]:
    """Serve bytes for bytes by method name; yields the address."""
    options = [("grpc.max_send_message_length", answer_limit_bytes)] if answer_limit_bytes else []
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    server.add_generic_rpc_handlers((_Handlers(handlers),))
    bound = server.add_insecure_port(f"{host}:{port}")
    server.start()
    try:
        yield f"{host}:{bound}"
    finally:
        server.stop(0)


class _Handlers(grpc.GenericRpcHandler):
    """Bytes in, bytes out, by method name."""

    def __init__(self, handlers: dict[str, Answer]):
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        handler = self._handlers.get(handler_call_details.method)
        return grpc.unary_unary_rpc_method_handler(handler) if handler else None


@contextmanager
def rest_server(
    status: int,
    body: bytes,
    drip_s: float = 0.0,
    host: str = "127.0.0.1",
    port: int = 0,
    hangs_up: bool = False,
) -> Iterator[tuple[str, list[dict]]]:
    """Serve one fixed answer to every request; yields the address and the bodies received.

    With `drip_s` the answer comes byte by byte with that pause. With `hangs_up` the connection ends
    with each answer, without a word about it.
    """
    received: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Server-Timing", "queue;dur=0.5, decode;dur=2.25, inference;dur=30")
            self.end_headers()
            pieces = [body[i : i + 1] for i in range(len(body))] if drip_s else [body]
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    time.sleep(drip_s)
            except OSError:
                self.close_connection = True
            if hangs_up:
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"{host}:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def like_a_stock_server(address: str) -> Iterator[str]:
    """The server at `address` as TensorFlow Serving's own would look: it tells nothing beside its answers."""
    with grpc.insecure_channel(address) as channel:

        def passing(method: str) -> Answer:
            ask = channel.unary_unary(method)

            def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
                try:
                    return ask(request)
                except grpc.RpcError as error:
                    context.abort(error.code(), error.details())

            return answer

        methods = (PREDICT, GET_MODEL_STATUS, GET_MODEL_METADATA)
        with serving({method: passing(method) for method in methods}) as own_address:
            yield own_address


def server_that_reads(*reads: str, asked: list[str] | None = None, **options):
    """A server that looks at the first bytes, as TensorFlow's decoder does."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        question = predict_pb2.PredictRequest.FromString(request)
        (image,) = question.inputs["images"].string_val
        if asked is not None:
            asked.append(question.model_spec.signature_name)
        refused = [begin for kind, begin in BEGINS.items() if kind not in reads]
        if image[8:12] in refused:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, STOCK_WORDS)
        return good_answer()

    return grpc_server(answer, **options)
