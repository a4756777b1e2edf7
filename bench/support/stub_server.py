"""A gRPC model server that takes exactly so long: python -m bench.support.stub_server 0.040

Prints its port, serves until its standard input closes, then prints how many requests came. The wait is a
sleep to shortly before the time and a spin over the rest, so that the service time is exact.

Not loadtest's stub server, which reads every request and hands it over to other threads: that takes 0.3 ms
more for each, and part of what is measured here is less than that.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import grpc

from experiment.backends.base import MESSAGE_LIMIT_BYTES
from experiment.protocol import PREDICT, predict_pb2, types_pb2

SPIN_S = 0.001


class Predict(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
    """Answers PREDICT after `service_s` and nothing else."""

    def __init__(self, service_s: float):
        self._service_s = service_s
        self._answer = _answer()
        self.requests = count()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of one method."""
        return (
            grpc.unary_unary_rpc_method_handler(self._predict)
            if handler_call_details.method == PREDICT
            else None
        )

    def _predict(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        next(self.requests)
        end = time.perf_counter() + self._service_s
        time.sleep(max(0.0, self._service_s - SPIN_S))
        while time.perf_counter() < end:
            pass
        return self._answer


def _answer() -> bytes:
    response = predict_pb2.PredictResponse()
    response.outputs["classes"].dtype = types_pb2.DT_STRING
    response.outputs["classes"].string_val.append(b"tabby")
    response.outputs["scores"].dtype = types_pb2.DT_FLOAT
    response.outputs["scores"].float_val.append(0.7)
    return bytes(response.SerializeToString())


def main() -> None:
    """Serve until the end of input."""
    server = grpc.server(
        ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES)]
    )
    predict = Predict(float(sys.argv[1]))
    server.add_generic_rpc_handlers((predict,))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0).wait()
    print(next(predict.requests))


if __name__ == "__main__":
    main()
