"""The brain behind both protocols, with a model that does sums: versions, refusals, batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

# First: it lets the messages load without TensorFlow.
from experiment.protocol import types_pb2  # isort: skip
from serving.config.text_messages import Batching
from serving.errors import (
    Cancelled,
    FailedPrecondition,
    InvalidArgument,
    LoadFailed,
    NotFound,
    ServingError,
    Unavailable,
)
from serving.models.config import ModelConfig, Policy
from serving.models.manager import Manager
from serving.models.servable import Servable
from serving.models.served_model import ModelSpec
from serving.models.version import Version
from serving.runtimes.base import About
from serving.service import Caller, Question, Service
from serving.values.signatures import Signature, TensorSpec

ABOUT = About("test", "f32", "CPU")
LATEST = Policy()
NO_LABELS: Mapping[str, int] = {}
NUMBERS = TensorSpec(types_pb2.DT_FLOAT, (None,))
SOON_S = 10.0


@dataclass
class Doubler:
    """A model that doubles its input; `before` runs first, with the input."""

    before: Callable[[np.ndarray], None] = lambda x: None
    about: About = ABOUT
    signatures: Mapping[str, Signature] = field(
        default_factory=lambda: {"double": Signature("double", {"x": NUMBERS}, {"y": NUMBERS})}
    )
    is_closed: bool = False

    def infer(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.before(inputs["x"])
        return {"y": inputs["x"] * 2}

    def close(self) -> None:
        self.is_closed = True


class Disk:
    """Version directories, and what each of them loads as."""

    def __init__(self, base: Path):
        self.base = base
        self.models: dict[int, object] = {}

    def put(self, number: int, model: object) -> None:
        (self.base / str(number)).mkdir()
        self.models[number] = model

    def load(self, path: Path) -> tuple[Servable, dict]:
        model = self.models[int(path.name)]
        if isinstance(model, Exception):
            raise model
        return Servable(model), {}


@pytest.fixture
def disk(tmp_path) -> Disk:
    return Disk(tmp_path)


def serving(disk: Disk, policy: Policy = LATEST, labels: Mapping = NO_LABELS, **service) -> Service:
    """A service that has loaded what is on the disk."""
    manager = Manager(disk.load)
    manager.start([ModelConfig("m", disk.base, policy, labels)])
    return Service(manager, **service)


def one(disk: Disk, model: Doubler, **service) -> Service:
    disk.put(3, model)
    return serving(disk, **service)


def question(*values: float, **changed) -> Question:
    inputs = {"x": np.array(values or (1.0,), np.float32)}
    return Question(**({"model": ModelSpec("m"), "signature_name": "double", "inputs": inputs} | changed))


def version_that_answers(service: Service, spec: ModelSpec) -> int | None:
    return service.predict(question(model=spec)).model.version


def test_an_answer_holds_the_outputs_the_version_and_the_stages_with_the_queue_first(disk):
    answer = one(disk, Doubler()).predict(question())
    assert answer.outputs["y"].tolist() == [2.0]
    assert list(answer.stage_ms) == ["queue", "inference"]
    assert answer.model == ModelSpec("m", 3)


def test_before_the_models_are_loaded_every_question_is_told_to_wait(disk):
    service = Service(Manager(disk.load))
    with pytest.raises(Unavailable, match="still loading"):
        service.predict(question())


def test_a_start_without_a_version_that_loads_fails_with_its_reason(disk):
    disk.put(1, LoadFailed("no such file"))
    with pytest.raises(LoadFailed, match="no such file"):
        serving(disk)


def test_a_stopping_service_refuses_new_requests(disk):
    service = one(disk, Doubler())
    service.stop()
    with pytest.raises(Unavailable, match="shutting down"):
        service.predict(question())


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"model": ModelSpec("n")}, NotFound),
        ({"model": ModelSpec("m", 2)}, NotFound),
        ({"model": ModelSpec("m", None, "stable")}, InvalidArgument),
        ({"signature_name": ""}, FailedPrecondition),
        ({"inputs": {}}, InvalidArgument),
        ({"inputs": {"x": np.zeros((2, 2), np.float32)}}, InvalidArgument),
        ({"inputs": {"x": np.zeros(2)}}, InvalidArgument),
        ({"output_filter": ("z",)}, InvalidArgument),
    ],
)
def test_a_question_that_does_not_fit_is_refused_before_its_turn(disk, changed, error):
    service = one(disk, Doubler(before=lambda x: pytest.fail("it was computed")))
    with pytest.raises(error):
        service.predict(question(**changed))


def test_a_client_that_has_gone_costs_no_inference(disk):
    service = one(disk, Doubler(before=lambda x: pytest.fail("it was computed")))
    with pytest.raises(Cancelled):
        service.predict(question(), Caller(is_wanted=lambda: False))


def test_the_policy_says_which_versions_are_served(disk):
    for number in (1, 2, 3, 4):
        disk.put(number, Doubler())
    for policy, served in [
        (Policy(), {4}),
        (Policy(latest=2), {3, 4}),
        (Policy(specific=frozenset({1, 3})), {1, 3}),
        (Policy(every=True), {1, 2, 3, 4}),
    ]:
        service = serving(disk, policy)
        assert {status.version for status in service.statuses(ModelSpec("m"))} == served
        assert version_that_answers(service, ModelSpec("m")) == max(served)


def test_a_label_means_its_version(disk):
    for number in (1, 2):
        disk.put(number, Doubler())
    service = serving(disk, Policy(every=True), {"stable": 1, "canary": 2})
    assert version_that_answers(service, ModelSpec("m", None, "stable")) == 1
    assert version_that_answers(service, ModelSpec("m", None, "canary")) == 2


def test_a_label_can_not_be_given_to_a_version_that_is_not_there(disk):
    disk.put(1, Doubler())
    with pytest.raises(FailedPrecondition, match=r"version 2 of model m, .* The label is canary"):
        serving(disk, labels={"canary": 2})


def test_a_version_is_closed_after_its_last_request_and_not_before(disk):
    in_use, go_on = threading.Event(), threading.Event()

    def wait(x: np.ndarray) -> None:
        in_use.set()
        assert go_on.wait(SOON_S)

    old = Doubler(before=wait)
    disk.put(1, old)
    manager = Manager(disk.load)
    config = ModelConfig("m", disk.base)
    manager.start([config])
    service = Service(manager, workers=2)
    answers: list[int | None] = []
    slow = threading.Thread(target=lambda: answers.append(service.predict(question()).model.version))
    slow.start()
    assert in_use.wait(SOON_S)
    disk.put(2, Doubler())
    manager.reload([config])
    assert version_that_answers(service, ModelSpec("m")) == 2
    assert not old.is_closed
    go_on.set()
    slow.join(SOON_S)
    assert answers == [1]
    unloading = [thread for thread in threading.enumerate() if thread.name == "unload-1"]
    for thread in unloading:
        thread.join(SOON_S)
    assert old.is_closed


def moved(disk: Disk, model: object, tmp_path: Path) -> tuple[Service, Manager, ModelConfig]:
    """A served version 1, and the same model's configuration with another base path that holds `model`."""
    disk.put(1, Doubler())
    manager = Manager(disk.load)
    manager.start([ModelConfig("m", disk.base)])
    disk.base = tmp_path / "elsewhere"
    disk.base.mkdir()
    disk.put(1, model)
    return Service(manager), manager, ModelConfig("m", disk.base)


@pytest.mark.parametrize("odd", [RecursionError("too deep"), OSError("no such device"), KeyError("x")])
def test_whatever_a_version_fails_with_it_ends_with_the_reason_and_is_tried_again_when_mended(disk, odd):
    disk.put(1, Doubler())
    manager = Manager(disk.load)
    config = ModelConfig("m", disk.base)
    manager.start([config])
    disk.put(2, odd)
    manager.reload([config])
    (status,) = Service(manager).statuses(ModelSpec("m", 2))
    assert status.state == "END"
    assert type(odd).__name__ in status.error_message
    assert str(odd) in status.error_message
    manager.reload([config])
    assert version_that_answers(Service(manager), ModelSpec("m")) == 1
    disk.models[2] = Doubler()
    (disk.base / "2" / "mended").touch()
    manager.reload([config])
    assert version_that_answers(Service(manager), ModelSpec("m")) == 2


def test_a_version_whose_memory_can_not_be_given_back_ends_all_the_same(disk):
    def fail() -> None:
        raise RuntimeError("busy")

    odd = Doubler()
    odd.close = fail
    version = Version(1, disk.base)
    version.available(Servable(odd))
    version.leaving()
    with pytest.raises(RuntimeError):
        version.unload()
    assert version.status.state == "END"


def test_a_model_that_moves_is_served_from_its_old_place_until_the_new_one_is_ready(disk, tmp_path):
    answers = []
    tripler = Doubler()
    tripler.infer = lambda name, inputs: {"y": inputs["x"] * 3}
    service, manager, config = moved(disk, tripler, tmp_path)
    load = disk.load
    manager._load = lambda path: (answers.append(service.predict(question()).outputs["y"][0]), load(path))[1]
    manager.reload([config])
    assert answers == [2.0]
    assert service.predict(question()).outputs["y"].tolist() == [3.0]


def test_a_model_that_can_not_move_stays_where_it_is(disk, tmp_path):
    service, manager, config = moved(disk, LoadFailed("damaged"), tmp_path)
    with pytest.raises(LoadFailed, match="damaged"):
        manager.reload([config])
    assert service.predict(question()).outputs["y"].tolist() == [2.0]


def test_of_the_versions_that_ended_only_the_last_hundred_are_told(disk):
    disk.put(1, Doubler())
    manager = Manager(disk.load)
    config = ModelConfig("m", disk.base)
    manager.start([config])
    for number in range(2, 110):
        disk.put(number, LoadFailed("bad"))
    manager.reload([config])
    for number in range(110, 112):
        disk.put(number, LoadFailed("bad"))
        manager.reload([config])
    assert len(Service(manager).statuses(ModelSpec("m"))) <= 102


def together(service: Service, batches: Batches, questions: list[Question]) -> list[object]:
    """Ask the first one, and while it is computed all others at once. Answers or errors in their order."""
    found: list[object] = [None] * len(questions)

    def ask(index: int) -> None:
        try:
            found[index] = service.predict(questions[index]).outputs["y"].tolist()
        except ServingError as problem:
            found[index] = problem.message

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(questions))]
    threads[0].start()
    assert batches.is_busy.wait(SOON_S)
    for waiting, thread in enumerate(threads[1:]):
        thread.start()
        while service.queue.waiting <= waiting:
            pass
    batches.go_on.set()
    for thread in threads:
        thread.join(SOON_S)
    return found


class Batches:
    """A model that waits once, remembers the batches it got, and dislikes negative numbers."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self.is_busy, self.go_on = threading.Event(), threading.Event()

    def __call__(self, x: np.ndarray) -> None:
        self.seen.append(x.tolist())
        self.is_busy.set()
        assert self.go_on.wait(SOON_S)
        if (x < 0).any():
            raise InvalidArgument("negative")


def test_questions_that_wait_are_computed_together_and_each_gets_its_own_rows(disk):
    batches = Batches()
    service = one(disk, Doubler(before=batches), batch=Batching(max_batch_size=8))
    batches.go_on.set()
    for first in (question(1), question(1, 2), question(1, 2, 3)):
        service.predict(first)  # each size is computed alone once before it is cut out of a batch
    batches.seen.clear()
    batches.is_busy.clear()
    batches.go_on.clear()
    questions = [question(1), question(2, 3), question(4), question(5, 6, 7)]
    found = together(service, batches, questions)
    assert found == [[2], [4, 6], [8], [10, 12, 14]]
    assert batches.seen == [[1], [2, 3, 4, 5, 6, 7]]


def test_a_bad_question_in_a_batch_fails_alone(disk):
    batches = Batches()
    service = one(disk, Doubler(before=batches), batch=Batching(max_batch_size=8))
    questions = [question(1), question(2), question(-1), question(3)]
    found = together(service, batches, questions)
    assert found == [[2], [4], "negative", [6]]


def test_batches_are_filled_up_to_an_allowed_size_and_the_filling_is_not_seen(disk):
    batches = Batches()
    sizes = Batching(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))
    service = one(disk, Doubler(before=batches), batch=sizes)
    found = together(service, batches, [question(1), question(2), question(3), question(4)])
    assert found == [[2], [4], [6], [8]]
    assert batches.seen == [[1], [2, 3, 4, 4]]  # the first one as it is: what a run gives was not known


def test_a_question_larger_than_the_largest_batch_is_refused(disk):
    service = one(disk, Doubler(), batch=Batching(max_batch_size=2))
    with pytest.raises(InvalidArgument, match="Task size 3 is larger than maximum input batch size 2"):
        service.predict(question(1, 2, 3))
