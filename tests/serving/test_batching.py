"""Batching on or off, every caller gets the same answer, whatever shapes the outputs of the model have."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

# First: it lets the messages load without TensorFlow.
from experiment.protocol import types_pb2  # isort: skip
from serving.config.text_messages import Batching
from serving.models.config import ModelConfig
from serving.models.manager import Manager
from serving.models.servable import Servable
from serving.models.served_model import ModelSpec
from serving.runtimes.base import About
from serving.service import Question, Service
from serving.values.signatures import Signature, TensorSpec
from tests.support.models.servables import servable
from tests.support.processes.model_server import ModelServer, model_list, model_server, numbers, one_model
from tests.support.processes.serving_client import array

ROUNDS = int(os.environ.get("BATCHING_ROUNDS", "150"))
SOON_S = 20.0
ANY = TensorSpec(types_pb2.DT_FLOAT, None)

Body = Callable[[np.ndarray], np.ndarray]

# Of x [n] or [n, k]. Only the first two have a row for each example.
BODIES: dict[str, Body] = {
    "rows": lambda x: x * 2,
    "row_sums": lambda x: x.reshape(len(x), -1).sum(1),
    "constant": lambda x: np.arange(4, dtype=np.float32),
    "constant_pairs": lambda x: np.ones((8, 2), np.float32),
    "one": lambda x: np.full(1, x.shape[0] * 0.5, np.float32),
    "flat": lambda x: np.stack([x, -x], 1).ravel(),
    "reduced": lambda x: x.sum(),
    "reduced_to_one": lambda x: x.max(keepdims=True).reshape(1),
    "transposed": lambda x: x.reshape(len(x), -1).T.copy(),
    "turned": lambda x: x.T.copy(),
    "half": lambda x: x[::2],
    "first_three": lambda x: x[:3],
    "gram": lambda x: x.reshape(len(x), -1) @ x.reshape(len(x), -1).T,
    "raveled": lambda x: x.ravel(),
    "at_least_four": lambda x: np.concatenate([x, x[-1:].repeat(max(0, 4 - len(x)), 0)]),
    "filled_up_to_fours": lambda x: np.concatenate([x, x[-1:].repeat(-len(x) % 4, 0)]),
}


class Gated:
    """A model with these outputs. Where it is told to hold, it waits in the next run until it may go on."""

    about = About("test", "f32", "CPU")

    def __init__(self, bodies: Sequence[str]):
        self.bodies = bodies
        outputs = dict.fromkeys(bodies, ANY)
        self.signatures = {"serving_default": Signature("serving_default", {"x": ANY}, outputs)}
        self.is_busy, self.go_on, self.largest = threading.Event(), threading.Event(), 0

    def infer(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.is_busy.set()
        assert self.go_on.wait(SOON_S)
        self.largest = max(self.largest, len(inputs["x"]))
        return self.answer(inputs["x"])

    def answer(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.asarray(BODIES[name](x)) for name in self.bodies}

    def close(self) -> None:
        pass


class Bench:
    """A service with one worker, whose first run waits until all other callers are in its queue."""

    def __init__(self, base: Path, model: Gated, batch: Batching | None):
        base.mkdir(exist_ok=True)
        (base / "1").mkdir(exist_ok=True)
        manager = Manager(lambda directory: (Servable(model), {}))
        manager.start([ModelConfig("m", base)])
        self.model = model
        self.service = Service(manager, workers=1, batch=batch)

    def ask(self, requests: Sequence[np.ndarray], callers: ThreadPoolExecutor) -> list[dict[str, np.ndarray]]:
        self.model.is_busy.clear()
        self.model.go_on.clear()
        answers = [callers.submit(self._predict, requests[0])]
        assert self.model.is_busy.wait(SOON_S)
        answers += [callers.submit(self._predict, x) for x in requests[1:]]
        while self.service.queue.waiting < len(requests) - 1:
            pass
        self.model.go_on.set()
        return [dict(answer.result(SOON_S)) for answer in answers]

    def _predict(self, x: np.ndarray) -> Mapping[str, np.ndarray]:
        return self.service.predict(Question(ModelSpec("m"), "", {"x": x})).outputs


def random_batching(chance: random.Random) -> Batching:
    largest = chance.choice([4, 8, 16])
    sizes = sorted({*chance.sample(range(1, largest), chance.randint(0, 3)), largest})
    return Batching(max_batch_size=largest, allowed_batch_sizes=tuple(sizes) if chance.random() < 0.7 else ())


def random_request(chance: random.Random, largest: int, width: int) -> np.ndarray:
    size = chance.choice([1, 1, 2, chance.randint(1, largest), largest])
    shape = (size, width) if width else (size,)
    return np.array([chance.randint(-99, 99) for _ in range(size * (width or 1))], np.float32).reshape(shape)


def same(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> bool:
    return found.keys() == wanted.keys() and all(
        found[name].shape == wanted[name].shape and (found[name] == wanted[name]).all() for name in wanted
    )


def test_random_models_answer_random_callers_alike_with_and_without_batching(tmp_path):
    """A run of 2,000: BATCHING_ROUNDS=2000."""
    split = 0
    with ThreadPoolExecutor(8) as callers:
        for seed in range(ROUNDS):
            chance = random.Random(seed)
            bodies = chance.sample(sorted(BODIES), chance.choice([1, 1, 2]))
            if chance.random() < 0.3:
                bodies = ["rows", "row_sums"]
            batch = random_batching(chance)
            bench = Bench(tmp_path / "m", Gated(bodies), batch)
            widths = chance.sample([0, 1, 2, 4, 8], 2)
            for _ in range(chance.randint(1, 4)):
                requests = [
                    random_request(chance, batch.max_batch_size, chance.choice(widths))
                    for _ in range(chance.randint(1, 6))
                ]
                for x, answer in zip(requests, bench.ask(requests, callers), strict=True):
                    assert same(answer, bench.model.answer(x)), (
                        seed,
                        bodies,
                        batch,
                        [r.shape for r in requests],
                    )
                split += bench.model.largest > max(len(x) for x in requests)
    assert split > ROUNDS / 20  # else nothing was shown


ONES = [np.float32([value]) for value in range(9)]


@pytest.mark.parametrize("body", sorted(BODIES.keys() - {"rows", "row_sums"}))
def test_no_caller_gets_a_part_of_an_output_that_has_as_many_rows_as_the_batch_by_chance(tmp_path, body):
    """The constant has 4 or 8 rows, and the first request 4 or 8 examples, and so have the batches."""
    for size in (4, 8):
        bench = Bench(tmp_path / "m", Gated([body]), Batching(max_batch_size=size))
        wide = [np.arange(size * size, dtype=np.float32).reshape(size, size)]
        with ThreadPoolExecutor(9) as callers:
            for requests in (wide, [wide[0], *(x.reshape(1, 1).repeat(size, 1) for x in ONES[:size])]) * 3:
                for x, answer in zip(requests, bench.ask(requests, callers), strict=True):
                    assert same(answer, bench.model.answer(x))


def test_requests_of_a_model_with_rows_are_computed_together_once_that_was_seen(tmp_path):
    bench = Bench(tmp_path / "m", Gated(["rows"]), Batching(max_batch_size=8))
    with ThreadPoolExecutor(9) as callers:
        answers = bench.ask(ONES, callers)
    assert [answer["rows"].tolist() for answer in answers] == [[2 * value] for value in range(9)]
    assert bench.model.largest == 8


def test_a_size_that_was_never_asked_alone_is_not_cut_out_of_a_batch(tmp_path):
    """Filled up to 4 rows: at 4 and at 8 examples there is a row for each, at 3 and at 5 there is not."""
    bench = Bench(tmp_path / "m", Gated(["filled_up_to_fours"]), Batching(max_batch_size=8))
    sizes = [[4], [8], [4, 3, 5]]
    with ThreadPoolExecutor(4) as callers:
        for requests in [[np.arange(size, dtype=np.float32) for size in each] for each in sizes]:
            for x, answer in zip(requests, bench.ask(requests, callers), strict=True):
                assert same(answer, bench.model.answer(x))


def test_what_short_messages_stand_for_is_not_put_together_to_more_than_one_may_be(tmp_path):
    """Each of the waiting ones is 50 MiB of one value, which takes no memory before it is computed."""
    bench = Bench(tmp_path / "m", Gated(["row_sums"]), Batching(max_batch_size=8))
    wide = [np.broadcast_to(np.float32(value), (1, 50 * 1024**2 // 4)) for value in range(7)]
    with ThreadPoolExecutor(7) as callers:
        for requests in (wide[:3], wide):
            answers = bench.ask(requests, callers)
            assert [answer["row_sums"].shape for answer in answers] == [(1,)] * len(requests)
    assert bench.model.largest == 2  # of the first three; six would be 300 MiB


# With TensorFlow, over gRPC

SIGNATURES = ("constant", "flat", "total", "transposed", "rows")


@pytest.fixture(scope="module", params=["", "allowed_batch_sizes: 8"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batching")
    config, parameters = folder / "models", folder / "batching"
    config.write_text(model_list(one_model("m", servable("odd_rows"))))
    parameters.write_text(f"max_batch_size {{ value: 8 }} num_batch_threads {{ value: 1 }} {request.param}")
    flags = (f"--model_config_file={config}", f"--batching_parameters_file={parameters}", "--enable_batching")
    with model_server(*flags, "--concurrency=1") as server:
        yield server


@pytest.mark.parametrize("signature", SIGNATURES)
def test_of_eight_callers_at_once_each_gets_its_own_and_whole_answer(server, signature):
    wanted = {
        "constant": lambda x: {
            "names": [b"cat", b"dog", b"cow", b"fox", b"owl", b"pig", b"rat", b"yak"],
            "y": [x],
        },
        "flat": lambda x: {"pair": [x, 10 * x]},
        "total": lambda x: {"sum": x, "y": [x]},
        "transposed": lambda x: {"y": [[x], [x + 1]]},
        "rows": lambda x: {"y": [x / 2 + 2]},
    }[signature]
    with ThreadPoolExecutor(9) as callers:
        for _ in range(2):
            found = list(callers.map(lambda x: outputs(server, signature, x), range(1, 10)))
            assert found == [wanted(float(x)) for x in range(1, 10)]


def outputs(server: ModelServer, signature: str, x: float) -> dict[str, object]:
    answer = server.predict("m", inputs={"x": numbers(x)}, signature=signature)
    return {alias: array(proto).tolist() for alias, proto in answer.outputs.items()}
