"""GrpcSender: PredictionService.Predict over asyncio channels, bytes in and bytes out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from experiment.backends.base import MESSAGE_LIMIT_BYTES, short_cause
from experiment.backends.grpc import CHANNEL_OPTIONS, FAILURES, stages_of
from experiment.protocol import PREDICT, predict_pb2, types_pb2
from experiment.records import BackendInfo
from experiment.wording import one_line
from loadtest.send.sender import CONNECT_S, Answer, AnswersRead, SendFailed, place_of

OPTIONS = (*CHANNEL_OPTIONS, ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES))


class GrpcSender:
    """A channel for each replica, used in turn."""

    def __init__(self, info: BackendInfo, addresses: Sequence[str]):
        self._info = info
        self._addresses = addresses
        self._answers = AnswersRead(_labels)
        self._channels: list[Any] = []

    async def open(self) -> None:
        """Connect to every replica that can be reached in CONNECT_S."""
        self._channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for address in self._addresses]
        methods = [channel.unary_unary(PREDICT) for channel in self._channels]
        peers = self._addresses if len(self._addresses) > 1 else [None]
        self._turns = itertools.cycle(zip(peers, methods, strict=True))
        await asyncio.wait(
            [asyncio.ensure_future(channel.channel_ready()) for channel in self._channels], timeout=CONNECT_S
        )

    async def send(self, body: bytes, timeout_s: float) -> Answer:
        """One Predict call. Raises SendFailed."""
        peer, predict = next(self._turns)
        call = predict(body, timeout=timeout_s)
        try:
            answer = await call
            stages_ms = stages_of(await call.trailing_metadata() or ())
        except grpc.RpcError as error:
            raise self._failed(error, peer) from None
        return Answer(self._answers.labels(answer), stages_ms or None, peer, len(answer))

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            await channel.close()

    def _failed(self, error: Any, peer: str | None) -> SendFailed:
        cause = FAILURES.get(error.code(), "server_error")
        details = one_line(error.details() or "no reason given")
        who = place_of(self._info, peer)
        sentences = {
            "unreachable": f"No answer from {who} ({short_cause(details)}).",
            "deadline": f"{who} did not answer in time.",
            "overloaded": f"{who} is overloaded and refused the request: {details}",
        }
        return SendFailed(cause, sentences.get(cause, f"{who} refused the request: {details}"), peer)


def _labels(answer: bytes) -> list[str] | None:
    """The first class of every image of a serialised PredictResponse; None if there are no classes."""
    try:
        outputs = predict_pb2.PredictResponse.FromString(answer).outputs
    except DecodeError:
        raise SendFailed("bad_answer", "The answer is not a Predict response.") from None
    if not outputs:
        raise SendFailed("bad_answer", "The answer has no outputs.")
    if "classes" not in outputs or outputs["classes"].dtype != types_pb2.DT_STRING:
        return None
    classes = outputs["classes"]
    rows = max(classes.tensor_shape.dim[0].size if len(classes.tensor_shape.dim) > 1 else 1, 1)
    width = max(len(classes.string_val) // rows, 1)
    return [value.decode("utf-8", "replace") for value in classes.string_val[::width]]
