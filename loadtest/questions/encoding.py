"""Schema and data type: the same input as JSON numbers, base64 in JSON, a string tensor, a float tensor."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiment.backends.base import MESSAGE_LIMIT_BYTES, RequestFailed
from experiment.backends.model_spec import InputSpec
from experiment.figures.frame import dots, hover_text, log_axis
from experiment.figures.palette import LIGHT
from experiment.protocol import predict_pb2, types_pb2
from experiment.records import BackendInfo
from experiment.report.statistics import SAMPLES_FOR_INTERVAL
from experiment.wording import capitalised, count, listed, milliseconds, size
from loadtest.answers.answer import Answer, answer, not_known
from loadtest.payloads.images import image_payload
from loadtest.payloads.numbers import grpc_body, rest_body
from loadtest.questions.exchange import Ask, Reply, exchange
from loadtest.questions.material import Material, one_example, pixels_of
from loadtest.questions.pairs import ratio_of_pairs
from loadtest.questions.prometheus import read_counters
from loadtest.questions.target import TIMEOUT_S, Target
from loadtest.send.recording import Watch

KEY, QUESTION = "encoding", "What do schema and data type change?"
TENSOR, BASE64 = "string tensor", "base64 in JSON"
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
REPEATS = 12
ROWS_AT_FULL_LENGTH = 12
# A REST server takes a body that is base64's four thirds of the largest message; this program makes no more.
LIMIT_BYTES = {"grpc": MESSAGE_LIMIT_BYTES, "rest": MESSAGE_LIMIT_BYTES * 4 // 3}
# Type -> the field of a tensor that lists its values. That of DT_HALF lists bits, not numbers.
FIELDS = {
    **{"DT_FLOAT": "float_val", "DT_DOUBLE": "double_val", "DT_INT64": "int64_val", "DT_BOOL": "bool_val"},
    **dict.fromkeys(("DT_INT8", "DT_UINT8", "DT_INT16", "DT_UINT16", "DT_INT32"), "int_val"),
}
Encode = Callable[[BackendInfo, InputSpec, NDArray[Any]], bytes]
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon")
COLUMNS = (
    *("Schema", "batch", "encode, ms", "bytes sent", "request, ms", "of it at the server, ms"),
    *("decode, ms", "bytes back", "total, ms", "total per example, ms", "measured", "left out because"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to write a request: `build` makes the body of a batch."""

    name: str
    info: BackendInfo
    build: Callable[[int], bytes]
    batches_freely: bool = True


@dataclass(slots=True)
class Row:
    """What one way took at one batch size. All lists have one value for each request, in ms."""

    way: Way
    batch: int
    request_bytes: int | None = None
    answer_bytes: int | None = None
    encode_ms: list[float] = field(default_factory=list)
    request_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)  # empty: neither stages nor counters say
    decode_ms: list[float] = field(default_factory=list)
    left_out: str = ""  # why there is no value, or none after those there are
    was_refused: bool = False  # a request failed: larger batches are not tried

    @property
    def total_ms(self) -> list[float]:
        """Encoding, the request and decoding together, of each request."""
        return list(map(sum, zip(self.encode_ms, self.request_ms, self.decode_ms, strict=True)))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the rows of a batch size may go on."""

    deadline: float  # of all, on the monotonic clock
    row_s: float  # of one row: a slow schema must not take the time of the larger batches
    shuffle: random.Random

    def is_over(self, row: Row) -> bool:
        """Whether a row that has a sample gets no more."""
        return time.monotonic() > self.deadline or sum(row.total_ms) > self.row_s * 1e3


def how_does_encoding_matter(material: Material, seconds: float, seed: int, watch: Watch) -> Answer:
    """The answer, within about `seconds`: batches that would take longer are left out, and say so."""
    ways = ways_of(material)
    rows: list[Row] = []
    deadline, shuffle = time.monotonic() + seconds, random.Random(seed)
    with ExitStack() as stack:
        asks = {way.name: stack.enter_context(exchange(way.info)) for way in ways}
        for batch in BATCHES:
            new = [_prepared(way, batch, rows, deadline) for way in ways]
            pace = Pace(deadline, seconds / ROWS_AT_FULL_LENGTH, shuffle)
            _measure([row for row in new if not row.left_out], asks, material.target, pace, watch)
            rows += new
    if not any(row.request_ms for row in rows):
        why = next((row.left_out for row in rows if row.left_out), "nothing was sent.")
        return not_known(KEY, QUESTION, f"Not known: {why}")
    return _answer(material, rows)


def ways_of(material: Material) -> list[Way]:
    """The ways that the model and its protocols allow."""
    target, ways = material.target, list[Way]()
    if material.picture_spec is not None and material.picture is not None:
        picture, spec = material.picture, material.picture_spec
        if target.over_grpc:
            ways.append(_picture_way(TENSOR, material, target.over_grpc, spec, picture))
        if target.over_rest:
            ways.append(_picture_way(BASE64, material, target.over_rest, spec, picture))
    if material.number_spec is not None:
        what = "pixels" if material.picture is not None else "numbers"
        if target.over_grpc:
            ways.append(_number_way(f"{what} in tensor_content", material, target.over_grpc, grpc_body))
            if material.number_spec.dtype in FIELDS:
                field = FIELDS[material.number_spec.dtype]
                ways.append(_number_way(f"{what} in {field}", material, target.over_grpc, listed_body))
        if target.over_rest:
            ways.append(_number_way(f"{what} in JSON", material, target.over_rest, rest_body))
    return ways


def listed_body(info: BackendInfo, spec: InputSpec, values: NDArray[Any]) -> bytes:
    """A Predict message with one number after another, as clients make that extend `float_val`."""
    request = predict_pb2.PredictRequest.FromString(grpc_body(info, spec, values[:0]))
    tensor = request.inputs[spec.name]
    tensor.tensor_shape.dim[0].size = len(values)
    getattr(tensor, FIELDS[spec.dtype]).extend(values.ravel().tolist())
    return bytes(request.SerializeToString())


def read_answer(protocol: str, body: bytes) -> int:
    """Read an answer as a client would, every value of it. Returns how many values there are."""
    if protocol == "rest":
        return len(json.loads(body)["predictions"])
    values = 0
    for tensor in predict_pb2.PredictResponse.FromString(body).outputs.values():
        if tensor.dtype == types_pb2.DT_STRING:
            values += len(list(tensor.string_val))
        elif tensor.tensor_content:
            values += len(np.frombuffer(tensor.tensor_content, np.uint8))
        else:
            values += len(list(tensor.float_val)) + len(list(tensor.int64_val)) + len(list(tensor.int_val))
    return values


def _picture_way(name: str, material: Material, info: BackendInfo, spec: InputSpec, picture: bytes) -> Way:
    asked = material.asked(info, spec)

    def build(batch: int) -> bytes:
        return image_payload(asked, [picture], ["picture"], batch).bodies[0]

    return Way(name, asked, build, _is_free(spec))


def _number_way(name: str, material: Material, info: BackendInfo, encode: Encode) -> Way:
    spec, picture = material.number_spec, material.picture
    assert spec is not None  # noqa: S101  the caller looked
    one = one_example(spec, seed=0) if picture is None else pixels_of(spec, picture)

    def build(batch: int) -> bytes:
        return encode(info, spec, np.repeat(one, batch, axis=0) if batch > 1 else one)

    return Way(name, info, build, _is_free(spec))


def _is_free(spec: InputSpec) -> bool:
    """Whether the first dimension may be any batch size."""
    return spec.shape is None or bool(spec.shape and spec.shape[0] is None)


def _prepared(way: Way, batch: int, before: Sequence[Row], deadline: float) -> Row:
    """A row to measure, or one that says why it is left out."""
    row, own = Row(way, batch), [row for row in before if row.way.name == way.name]
    measured = [row for row in own if row.request_ms]
    if batch > 1 and not way.batches_freely:
        row.left_out = "the model takes one example at a time."
    elif own and own[-1].was_refused:
        row.left_out = own[-1].left_out
    elif measured:
        last = measured[-1]
        larger, limit_bytes = batch / last.batch, LIMIT_BYTES[way.info.protocol]
        likely_s = 2 * min(last.total_ms) / 1e3 * larger  # once to warm up
        left_s = max(deadline - time.monotonic(), 0.0)
        if (last.request_bytes or 0) * larger > limit_bytes:
            row.left_out = f"its message would be over {size(limit_bytes)}."
        elif likely_s > left_s:
            row.left_out = f"it would take about {likely_s:.1f} s; {left_s:.1f} s were left (--seconds)."
    return row


def _measure(
    rows: Sequence[Row],
    asks: Mapping[str, Ask],
    target: Target,
    pace: Pace,
    watch: Watch,
) -> None:
    """Up to REPEATS requests of each row, in rounds of shuffled order; the first round warms up."""
    for turn in range(REPEATS + 1):
        for row in pace.shuffle.sample(rows, len(rows)):
            is_over = bool(row.request_ms) and pace.is_over(row)
            if not row.left_out and not is_over and not watch.cancel.is_set():
                try:
                    _send(row, asks[row.way.name], target, is_warmup=turn == 0)
                except RequestFailed as failed:
                    row.left_out, row.was_refused = failed.failure.message, True


def _send(row: Row, ask: Ask, target: Target, is_warmup: bool) -> None:
    started = time.perf_counter()
    body = row.way.build(row.batch)
    encode_ms = (time.perf_counter() - started) * 1e3
    row.request_bytes = len(body)
    before = read_counters(target)
    reply = ask(body, TIMEOUT_S)
    after = read_counters(target) if before else None
    row.answer_bytes = len(reply.body)
    started = time.perf_counter()
    try:
        read_answer(row.way.info.protocol, reply.body)
    except (ValueError, LookupError, TypeError):
        raise RequestFailed("bad_answer", "the answer can't be read.") from None
    decode_ms = (time.perf_counter() - started) * 1e3
    if is_warmup:
        return
    row.encode_ms.append(encode_ms)
    row.request_ms.append(reply.latency_ms)
    row.decode_ms.append(decode_ms)
    counted = after.since(before) if before and after else None
    if counted and counted.requests == 1 and counted.request_ms is not None:
        row.server_ms.append(counted.request_ms)
    elif reply.stages_ms:
        row.server_ms.append(_in_stages(reply))


def _in_stages(reply: Reply) -> float:
    return sum(reply.stages_ms.values())


def _answer(material: Material, rows: Sequence[Row]) -> Answer:
    measured = [row for row in rows if row.request_ms]
    names = list(dict.fromkeys(row.way.name for row in measured))
    data = [
        _line(name, [row for row in measured if row.way.name == name], at) for at, name in enumerate(names)
    ]
    each = [statistics.median(row.total_ms) / row.batch for row in measured]
    layout = {
        "xaxis": log_axis(LIGHT, "Examples in a request", [float(row.batch) for row in measured]),
        "yaxis": log_axis(LIGHT, "Time for each example, ms", each),
    }
    sentence = _sentence(measured)
    return answer(
        *(KEY, QUESTION, sentence, COLUMNS, list(map(_cells, rows)), data, layout),
        notes=_notes(material, rows),
        measured=[
            {
                "schema": row.way.name,
                "batch": row.batch,
                "encode_ms": row.encode_ms,
                "request_ms": row.request_ms,
                "server_ms": row.server_ms,
                "decode_ms": row.decode_ms,
            }
            for row in measured
        ],
    )


def _sentence(measured: Sequence[Row]) -> str:
    """Batch 1: each way against the fastest; then the fastest way and batch of all."""
    ones = sorted(
        (row for row in measured if row.batch == 1), key=lambda row: statistics.median(row.total_ms)
    )
    first = ones[0]
    words = (
        f"Fastest for one example is {first.way.name}: {milliseconds(statistics.median(first.total_ms))}, "
        f"{size(first.request_bytes or 0)} sent."
    )
    words += "".join(f" {_compared(row, first)}" for row in ones[1:])
    words += _same_picture({row.way.name: row for row in ones[1:]})
    best = min(measured, key=lambda row: statistics.median(row.total_ms) / row.batch)
    if best.batch > 1:
        each_ms = statistics.median(best.total_ms) / best.batch
        words += (
            f" The least for each example is {each_ms:.2g} ms: {best.way.name}, batches of {best.batch:,}."
        )
    return words


def _same_picture(ones: Mapping[str, Row]) -> str:
    """REST against gRPC with the same encoded picture, where neither is the fastest of all."""
    if not {TENSOR, BASE64} <= ones.keys():
        return ""
    ratio = ratio_of_pairs(ones[BASE64].total_ms, ones[TENSOR].total_ms)
    if ratio is None:
        return ""
    interval = f"{ratio.value:.2f} times as long (95 %: {ratio.low:.2f} to {ratio.high:.2f})"
    verdict = "no difference we can detect, " if ratio.low <= 1 <= ratio.high else ""
    return f" The same picture over REST against gRPC: {verdict}{interval}."


def _compared(row: Row, first: Row) -> str:
    ratio, name = ratio_of_pairs(row.total_ms, first.total_ms), capitalised(row.way.name)
    sent = f"{size(row.request_bytes or 0)} sent"
    if ratio is None:
        return f"{name}: {milliseconds(statistics.median(row.total_ms))}, {sent}."
    interval = f"(95 %: {ratio.low:.2f} to {ratio.high:.2f})"
    if ratio.low <= 1 <= ratio.high:
        return f"{name}: no difference we can detect, {ratio.value:.2f} times {interval}, {sent}."
    return f"{name}: {ratio.value:.2f} times as long {interval}, {sent}."


def _cells(row: Row) -> list[Any]:
    middle = [_median(values) for values in (row.encode_ms, row.request_ms, row.server_ms, row.decode_ms)]
    total_ms = _median(row.total_ms)
    return [
        *(row.way.name, row.batch, middle[0], row.request_bytes if row.request_ms else None),
        *(middle[1], middle[2], middle[3], row.answer_bytes if row.request_ms else None, total_ms),
        None if total_ms is None else round(total_ms / row.batch, 4),
        *(len(row.request_ms), row.left_out),
    ]


def _line(name: str, rows: Sequence[Row], place: int) -> dict[str, Any]:
    each = [statistics.median(row.total_ms) / row.batch for row in rows]
    hover = [
        hover_text(name, f"batch of {row.batch:,}: {milliseconds(value)} for each")
        for row, value in zip(rows, each, strict=True)
    ]
    colour = LIGHT.backends[place % len(LIGHT.backends)]
    look = {"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8}
    batches = [row.batch for row in rows]
    return dots(batches, each, hover, name=name, mode="lines+markers", marker=look, line={"color": colour})


def _notes(material: Material, rows: Sequence[Row]) -> list[str]:
    notes = [
        f"Medians of up to {REPEATS} requests, one at a time, the schemas in shuffled order.",
        "Ratios are medians over the rounds, in each of which every schema had one turn.",
        "Encoding and decoding as Python clients do: protobuf, numpy and Python's own json and base64.",
    ]
    if any(len(row.request_ms) < SAMPLES_FOR_INTERVAL for row in rows if row.request_ms):
        notes.append(f"Rows of fewer than {SAMPLES_FOR_INTERVAL} requests ran out of time: --seconds.")
    if material.picture is not None and material.number_spec is not None:
        notes.append(
            "Pixels need no decoding at the server: whoever sends them has decoded and resized them."
        )
    if any(row.server_ms for row in rows) and read_counters(material.target) is None:
        notes.append(
            "Time at the server: the sum of its stages, without reading the request's text or bytes."
        )
    missing = [] if material.target.over_rest else ["JSON (name the REST port with --rest HOST:PORT)"]
    missing += [] if material.target.over_grpc else ["tensors (name the gRPC port as --target)"]
    missing += [] if material.number_spec else ["numbers: the model has no signature that takes pixels"]
    if missing:
        notes.append(f"Not measured: {listed(missing)}.")
    refused = sum(bool(row.left_out) for row in rows)
    if refused:
        notes.append(f"{count(refused, 'row')} left out; the table says why.")
    return notes


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 4) if values else None
