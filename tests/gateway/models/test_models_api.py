"""The folder of models over HTTP: real gateways, model servers and conversions."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.support.models.onnx_bytes import classifier, node, onnx_bytes, value
from tests.support.processes.app_process import free_port
from tests.support.processes.round_robin import round_robin
from tests.support.processes.serving_process import ROOT

PATIENCE_S, TIMEOUT_S = 240, 60  # other tests may keep the machine busy


@dataclass(frozen=True)
class Gateway:
    """A started one."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def gateway(models_dir: Path, folder: Path) -> Iterator[Gateway]:
    port = free_port()
    options = {"port": port, "models_dir": models_dir, "models_cache": folder / f"cache-{port}"}
    # Nobody is at this address: the folder of models needs no Redis.
    options["redis_url"] = "127.0.0.1:1"
    command = [sys.executable, "-m", "gateway", *(f"--{name}={value}" for name, value in options.items())]
    environment = {key: text for key, text in os.environ.items() if not key.startswith("PIXELCOST_")}
    with (folder / f"gateway-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield Gateway(port, process)
    finally:
        process.terminate()
        process.wait(30)


def wait_until(found: object, what: str) -> None:
    """Until the function says yes."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=TIMEOUT_S).status_code == 200
    except requests.RequestException:
        return False


def details(one: Gateway) -> dict[str, dict[str, object]]:
    listed = requests.get(one.url("/models"), timeout=TIMEOUT_S).json()["data"]
    assert listed["models"] == [row["name"] for row in listed["details"]]
    return {row["name"]: row for row in listed["details"]}


def state(one: Gateway, name: str) -> object:
    return details(one).get(name, {}).get("state")


def png(red: int, green: int, blue: int, sides: tuple[int, int] = (48, 40)) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", sides, (red, green, blue)).save(written, "png")
    return written.getvalue()


RED, GREEN = png(255, 0, 0), png(0, 255, 0, (20, 30))


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of colours, a detector and a broken file."""
    folder = tmp_path_factory.mktemp("models")
    boxes = onnx_bytes(
        [node("Reshape", ("images", "rows"), "boxes"), node("Reshape", ("images", "flat"), "scores")],
        [value("boxes", (768, 4)), value("scores", (1, 3072))],
        {"rows": (768, 4), "flat": (1, 3072)},
        {},
    )
    for name, data in {"colours": classifier(), "boxes": boxes, "broken": b"\x08\x07"}.items():
        (folder / name).mkdir()
        (folder / name / "model.onnx").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def replicas(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    """Two gateways over the same folder, as tasks of a swarm on two hosts."""
    folder = tmp_path_factory.mktemp("gateways")
    with ExitStack() as stack:
        started = [stack.enter_context(gateway(models_dir, folder)) for _ in range(2)]
        for one in started:
            wait_until(lambda one=one: answers(one.url("/readyz")), "the models are not ready")
        yield started


@pytest.fixture
def one(replicas: list[Gateway]) -> Gateway:
    return replicas[0]


def test_each_model_is_served_or_has_its_reason_and_detectors_are_refused_by_name(one: Gateway) -> None:
    found = details(one)
    assert {name: row["state"] for name, row in found.items()} == {
        "boxes": "other_task",
        "broken": "unusable",
        "colours": "served",
    }
    assert "It is an object detector: it gives boxes DT_FLOAT [768,4]" in found["boxes"]["reason"]
    refused = requests.post(one.url("/models/boxes/predict"), files={"input_data": RED}, timeout=TIMEOUT_S)
    assert (refused.status_code, refused.json()["success"]) == (501, False)
    assert refused.json()["error"].startswith("InferenceEngineNotFound: Inference engine not found. boxes: ")
    assert "object detector" in refused.json()["error"]


def test_an_image_gets_its_classes_as_boxes_in_the_earlier_envelope(one: Gateway) -> None:
    answer = requests.post(one.url("/models/colours/predict"), files={"input_data": RED}, timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]) == (200, True, "")
    best, *_ = boxes = answer.json()["data"]["bounding-boxes"]
    assert best["ObjectClassName"] == "red"
    assert best["ObjectClassId"] == 0
    assert best["coordinates"] == {"left": 0, "top": 0, "right": 48, "bottom": 40}
    assert sum(box["confidence"] for box in boxes) == pytest.approx(100, abs=0.01)


def test_the_earlier_addresses_answer_their_own_forms_without_any_load_before(one: Gateway) -> None:
    found = requests.post(
        one.url("/detect"), data={"model": "colours"}, files={"image": GREEN}, timeout=TIMEOUT_S
    )
    assert found.json()["bounding-boxes"] == found.json()["data"]["bounding-boxes"]
    assert found.json()["bounding-boxes"][0]["ObjectClassName"] == "green"
    by_id = requests.get(one.url("/load"), timeout=TIMEOUT_S).json()["colours"]
    again = requests.post(
        one.url("/detect"), data={"model": by_id}, files={"image": GREEN}, timeout=TIMEOUT_S
    )
    assert again.json() == found.json()
    labels = requests.post(one.url("/get_labels"), data={"model": "colours"}, timeout=TIMEOUT_S).json()
    assert list(labels) == ["red", "green", "blue"]
    assert requests.get(one.url("/models/colours/labels"), timeout=TIMEOUT_S).json()["data"] == list(labels)
    assert requests.get(one.url("/models/colours/load?force=true"), timeout=TIMEOUT_S).json()["success"]
    config = requests.get(one.url("/models/colours/config"), timeout=TIMEOUT_S).json()["data"]
    assert (config["id"], config["classes"], config["predictions"]) == (by_id, 3, 5)


def test_a_batch_answers_in_the_order_sent_and_names_the_image_that_is_none(one: Gateway) -> None:
    files = [
        ("input_data", (name, data)) for name, data in (("a.png", RED), ("b.png", GREEN), ("c.png", RED))
    ]
    answer = requests.post(one.url("/models/colours/predict_batch"), files=files, timeout=TIMEOUT_S).json()
    found = [(row["ImageName"], row["bounding-boxes"][0]["ObjectClassName"]) for row in answer["data"]]
    assert found == [("a.png", "red"), ("b.png", "green"), ("c.png", "red")]
    files[1] = ("input_data", ("cut.png", GREEN[:50]))
    refused = requests.post(one.url("/models/colours/predict_batch"), files=files, timeout=TIMEOUT_S)
    assert (refused.status_code, refused.json()["success"]) == (400, False)
    assert "cut.png" in refused.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "said"),
    [
        ("GET", "/models/nothing/labels", {}, 404, "ModelNotFound: Model not found. "),
        ("POST", "/models/nothing/predict", {"files": {"input_data": RED}}, 404, "ModelNotFound: "),
        ("GET", "/models/broken/load", {}, 409, "InvalidModelConfiguration: Invalid model configuration. "),
        ("GET", "/models/colours/load?force=perhaps", {}, 422, "InvalidInputData: "),
        ("POST", "/models/colours/predict", {"files": {"input_data": b"text"}}, 415, "InvalidInputData: "),
        ("POST", "/models/colours/predict", {"files": {"input_data": RED[:40]}}, 400, "InvalidInputData: "),
        ("POST", "/models/colours/predict", {"files": {"file": RED}}, 400, "a field `input_data`"),
        ("POST", "/models/colours/predict", {}, 400, "curl -F input_data=@"),
        ("POST", "/detect", {"files": {"model": (None, "colours")}}, 400, "a field `image`"),
        ("POST", "/models/colours/predict", {"data": b"x" * 21_000_000}, 413, "The limit is 20 MB"),
        ("POST", "/detect", {"files": {"image": RED}}, 422, "needs a field `model`"),
        ("POST", "/get_labels", {}, 422, "needs a field `model`"),
        ("POST", "/models/colours/predict_image", {}, 501, "no boxes can be drawn"),
        ("POST", "/models/colours/ocr", {}, 501, "no text is read"),
        ("POST", "/models/colours/one_shot_ocr", {}, 501, "no text is read"),
    ],
)
def test_a_refusal_has_a_true_status_and_names_its_class(one, method, path, sent, status, said):
    answer = requests.request(method, one.url(path), timeout=TIMEOUT_S, **sent)
    assert answer.status_code == status, answer.text
    assert (answer.json()["success"], answer.json()["data"]) == (False, None)
    assert said in answer.json()["error"]


def test_all_replicas_give_the_same_ids_whichever_answers(replicas: list[Gateway]) -> None:
    with round_robin([replica.port for replica in replicas]) as port:
        address = f"http://127.0.0.1:{port}"
        ids = [requests.get(f"{address}/load", timeout=TIMEOUT_S).json() for _ in range(4)]
        assert all(found == ids[0] for found in ids)
        sent = {"data": {"model": ids[0]["colours"]}, "timeout": TIMEOUT_S}
        labels = [requests.post(f"{address}/get_labels", **sent).json() for _ in range(4)]
        assert all(found == labels[0] for found in labels)
        found = [requests.post(f"{address}/detect", files={"image": RED}, **sent).json() for _ in range(4)]
        assert all(answer == found[0] for answer in found)


def test_confidence_is_read_for_each_request(one: Gateway, models_dir: Path) -> None:
    config = models_dir / "colours" / "config.json"

    def names() -> list[str]:
        sent = {"files": {"input_data": RED}, "timeout": TIMEOUT_S}
        boxes = requests.post(one.url("/models/colours/predict"), **sent).json()["data"]["bounding-boxes"]
        return [box["ObjectClassName"] for box in boxes]

    try:
        config.write_text(json.dumps({"confidence": 30, "predictions": 1_000}))
        assert names() == ["red"]
        config.write_text(json.dumps({"confidence": 0, "predictions": 2}))
        assert len(names()) == 2
        config.write_text('{"confidence": "much"}')
        refused = requests.get(one.url("/models/colours/config"), timeout=TIMEOUT_S)
        assert (refused.status_code, "confidence is" in refused.json()["error"]) == (409, True)
    finally:
        config.unlink()


def test_requests_at_the_same_time_are_all_answered_and_each_with_its_own_image(one: Gateway) -> None:
    def ask(number: int) -> str:
        files = {"input_data": (RED, GREEN)[number % 2]}
        answer = requests.post(one.url("/models/colours/predict"), files=files, timeout=TIMEOUT_S).json()
        return str(answer["data"]["bounding-boxes"][0]["ObjectClassName"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(32))) == ["red", "green"] * 16


def test_a_new_model_is_served_without_a_restart_and_goes_when_its_folder_goes(one, models_dir):
    (models_dir / "more colours").mkdir()
    (models_dir / "more colours" / "model.onnx").write_bytes(classifier())
    wait_until(lambda: state(one, "more colours") == "served", "the new model is not served")
    sent = {"files": {"input_data": GREEN}, "timeout": TIMEOUT_S}
    answer = requests.post(one.url("/models/more%20colours/predict"), **sent)
    assert answer.json()["data"]["bounding-boxes"][0]["ObjectClassName"] == "green"
    (models_dir / "more colours").rename(models_dir / ".gone")
    wait_until(lambda: state(one, "more colours") is None, "the model is still listed")
    assert requests.post(one.url("/models/more%20colours/predict"), **sent).status_code == 404
    assert state(one, "colours") == "served"


def test_what_the_gateway_started_ends_with_it_however_it_ends(models_dir: Path, tmp_path: Path) -> None:
    with gateway(models_dir, tmp_path) as third:
        wait_until(lambda: answers(third.url("/models")), "it does not answer")
        inside = _started_by(third.process.pid)
        assert any("gateway.models" in line for line in inside.values())
        third.process.send_signal(signal.SIGKILL)
        third.process.wait(20)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside), "processes are left")


def _started_by(pid: int) -> dict[int, str]:
    """Process id -> command line of all descendants."""
    found = {}
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for number in map(int, child.read_text().split()):
            found[number] = Path(f"/proc/{number}/cmdline").read_text()
            found |= _started_by(number)
    return found


@pytest.mark.parametrize("what", ["missing", "taken"])
def test_a_start_that_can_not_work_says_why(replicas, models_dir, tmp_path, what):
    taken = next(tmp_path.parent.glob(f"gateways*/cache-{replicas[0].port}"))
    options = (
        ["--models_dir", str(tmp_path / "none")] if what == "missing" else ["--models_dir", str(models_dir)]
    )
    command = [
        sys.executable,
        "-m",
        "gateway",
        "--port",
        str(free_port()),
        *options,
        "--models_cache",
        str(taken),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    said = {"missing": "can't be read: No such file or directory", "taken": "is in use by another gateway"}
    assert said[what] in done.stderr
    assert "Traceback" not in done.stderr
