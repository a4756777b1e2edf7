"""A model server without a model, whose service times are known: gRPC Predict and REST :predict.

    python -m loadtest.cross_check.stub_server --service-ms 20 --one-at-a-time

Prints {"grpc": "127.0.0.1:41001", "rest": "127.0.0.1:41002"} and ends when its input does. Every image gets
the label `stub`. A load generator can be believed if it finds the latencies that the service times dictate.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web

from common.arguments import argument
from common.checks import number, number_text, whole_text
from experiment.protocol import (
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    PREDICT,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    types_pb2,
)
from loadtest.cross_check.service_times import Busy, Service

LABEL, SCORE = "stub", 0.9
MODEL, SIGNATURE, INPUT_KEY = "inception", "predict_images", "images"  # BackendInfo's own
AVAILABLE = 30  # get_model_status.proto, ModelVersionStatus.State
LONGEST_MS = 3_600_000
SWITCH_INTERVAL_S = 0.0005  # between the alarms' thread and the event loop
FULL = "the queue is full"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.cross_check.stub_server", description=__doc__)
    milliseconds = argument(number_text(number(0, LONGEST_MS)))
    parser.add_argument("--service-ms", "--service_ms", type=milliseconds, default=20.0)
    parser.add_argument(
        "--times", type=Path, metavar="FILE", help="service times in ms, one a line, used in turn"
    )
    parser.add_argument("--one-at-a-time", "--one_at_a_time", action="store_true", help="one server, a queue")
    parser.add_argument(
        "--most", type=argument(whole_text(1, 1_000_000)), help="refuse requests above so many at once"
    )
    asked = parser.parse_args(arguments)
    times_ms = _times_in(asked.times, parser) if asked.times else [asked.service_ms]
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    asyncio.run(_serve(times_ms, asked.one_at_a_time, asked.most))


def _times_in(file: Path, parser: argparse.ArgumentParser) -> list[float]:
    try:
        times_ms = [number(0, LONGEST_MS)(float(line)) for line in file.read_text("utf-8").split()]
    except (OSError, ValueError) as error:
        parser.error(f"{file} can't be used: {error}. It needs one service time in ms on each line.")
    return times_ms or parser.error(f"{file} is empty. It needs one service time in ms on each line.")


async def _serve(times_ms: Sequence[float], one_at_a_time: bool, most: int | None) -> None:
    service, ended = Service(times_ms, one_at_a_time, most), asyncio.Event()
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", -1),))
    server.add_generic_rpc_handlers((_Handlers(service),))
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    runner = web.AppRunner(_rest_app(service), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    rest_port = runner.addresses[0][1]
    gc.freeze()
    sys.stdout.write(json.dumps({"grpc": f"127.0.0.1:{grpc_port}", "rest": f"127.0.0.1:{rest_port}"}) + "\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_end, name="input", daemon=True).start()
    await ended.wait()
    await asyncio.gather(server.stop(0), runner.cleanup())


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Bytes in, bytes out, by method name."""

    def __init__(self, service: Service):
        self._service = service

    def service(self, handler_call_details: Any) -> Any:
        handlers = {PREDICT: self._predict, GET_MODEL_STATUS: _status, GET_MODEL_METADATA: _metadata}
        handler = handlers.get(handler_call_details.method)
        return grpc.unary_unary_rpc_method_handler(handler) if handler else None

    async def _predict(self, request: bytes, context: Any) -> bytes:
        tensor = next(iter(predict_pb2.PredictRequest.FromString(request).inputs.values()), None)
        if tensor is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The request has no input.")
            raise AssertionError
        try:
            await self._service.wait()
        except Busy:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, FULL)
        return _grpc_answer(tensor.tensor_shape.dim[0].size if tensor.tensor_shape.dim else 1)


@cache
def _grpc_answer(rows: int) -> bytes:
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 1
    for name, dtype in (("classes", types_pb2.DT_STRING), ("scores", types_pb2.DT_FLOAT)):
        response.outputs[name].dtype = dtype
        for size in (rows, 1):
            response.outputs[name].tensor_shape.dim.add().size = size
    response.outputs["classes"].string_val.extend([LABEL.encode()] * rows)
    response.outputs["scores"].float_val.extend([SCORE] * rows)
    return bytes(response.SerializeToString())


async def _status(request: bytes, context: Any) -> bytes:
    response = get_model_status_pb2.GetModelStatusResponse()
    response.model_version_status.add(version=1, state=AVAILABLE)
    return bytes(response.SerializeToString())


async def _metadata(request: bytes, context: Any) -> bytes:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signatures.signature_def[SIGNATURE].inputs[INPUT_KEY].dtype = types_pb2.DT_STRING
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    return bytes(response.SerializeToString())


def _rest_app(service: Service) -> web.Application:
    async def predict(request: web.Request) -> web.Response:
        try:
            rows = len((await request.json())["instances"])
        except (ValueError, LookupError, TypeError):
            return web.json_response({"error": "The request has no list of instances."}, status=400)
        try:
            await service.wait()
        except Busy:
            return web.json_response({"error": FULL}, status=429)
        return web.Response(body=_rest_answer(rows), content_type="application/json")

    async def status(request: web.Request) -> web.Response:
        row = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return web.json_response({"model_version_status": [row]})

    app = web.Application(client_max_size=1 << 30)
    app.add_routes([web.post("/v1/models/{model}:predict", predict), web.get("/v1/models/{model}", status)])
    return app


@cache
def _rest_answer(rows: int) -> bytes:
    return json.dumps({"predictions": [{"classes": [LABEL], "scores": [SCORE]}] * rows}).encode()


if __name__ == "__main__":
    main()
