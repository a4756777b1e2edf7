"""What the inspector asks, over the real web process and a real model server: figures, pixels, "copy as"."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote

import grpc
import numpy as np
import pytest
import redis
import requests
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from PIL import Image

from experiment.backends.model_input import to_8_bits
from experiment.copy_as.commands import KINDS, Target, kinds_for
from experiment.protocol import PREDICT, predict_pb2
from experiment.queue.records import QueueSettings
from experiment.records import BackendInfo
from tests.support.photo_sets import colour_server
from tests.support.processes.app_process import CAT, ROOT
from tests.support.processes.serving_process import start_server
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import NOWHERE, eventually, serving
from tests.support.queue.parts import Labels, running_worker
from webapp.worker.process import WORKER_COMMAND

ODD = """O'Brien's "$(touch pwned)" `touch pwned` \\"""
PLAN = {"sizes_px": [64], "formats": ["jpeg"], "repeats": 2, "warmups": 1}
VARIANT = "64-jpeg-85"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, default_model: Path) -> Iterator[WebProcess]:
    """Servers: over gRPC and REST, over gRPC only under an odd name, down, and one that only predicts."""
    folder = tmp_path_factory.mktemp("inspector")
    with start_server("--cores", "0", model_dir=default_model) as server, colour_server() as plain:
        rest_port = server.rest_url.split(":")[2].split("/")[0]
        servers = [
            f"Real:{server.grpc_address}?rest={rest_port}",
            f"{ODD}:{server.grpc_address}",
            f"Down:{NOWHERE}",
            f"Plain:{plain}",
        ]
        with web_process(folder, worker_command=WORKER_COMMAND, TF_SERVERS=";".join(servers)) as web:
            yield web


@pytest.fixture(scope="module")
def run_id(web: WebProcess) -> str:
    """A finished run of the sample cat."""
    plan = {**PLAN, "backend_names": ["Real", ODD, "Down"]}
    found: str = web.post("cat.png", json.dumps(plan), CAT.read_bytes()).json()["id"]
    web.finished(found)
    return found


def seen(web: WebProcess, run_id: str, variant: str = VARIANT, backend: str = "Real") -> requests.Response:
    return web.get(f"/api/runs/{run_id}/variants/{variant}/seen.png?backend={quote(backend)}")


def copied(web: WebProcess, run_id: str, kind: str, backend: str = "Real", variant: str = VARIANT) -> str:
    answer = web.get(f"/api/runs/{run_id}/copy/{kind}?variant={variant}&backend={quote(backend)}")
    assert answer.status_code == 200, answer.text
    return answer.text


def refusal(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


def top_label(web: WebProcess, run_id: str) -> str:
    cells = web.get(f"/api/runs/{run_id}").json()["cells"]
    found = next(each for each in cells if (each["variant_id"], each["backend_name"]) == (VARIANT, "Real"))
    label: str = found["top"][0]["label"]
    return label


# Figures


def test_the_figures_of_a_variant_are_its_stages_and_a_strip_for_each_backend(
    web: WebProcess, run_id: str
) -> None:
    made = web.get(f"/api/runs/{run_id}/variants/{VARIANT}/figures?theme=dark").json()
    assert set(made) == {"stages", "samples"}
    assert list(made["samples"]) == ["Real", ODD, "Down"]
    assert made["samples"]["Real"]["meta"]["caption"].startswith("2 samples, no outliers.")
    caption = made["samples"]["Down"]["meta"]["caption"]  # the second may not be sent any more
    assert re.fullmatch(r"No samples: (2 requests (failed|not sent)|1 request failed, 1 not sent)\.", caption)


def test_figures_of_what_is_not_there_are_refused(web: WebProcess, run_id: str) -> None:
    assert refusal(web.get(f"/api/runs/{run_id}/variants/no/figures")) == (404, "no_such_variant")
    assert refusal(web.get("/api/runs/gone/variants/no/figures")) == (404, "no_such_run")
    bad = web.get(f"/api/runs/{run_id}/variants/{VARIANT}/figures?theme=blue")
    assert refusal(bad) == (400, "bad_query")


# What the model sees


def test_the_pixels_are_those_that_the_model_gets(web: WebProcess, run_id: str) -> None:
    answer = seen(web, run_id, "original")
    picture = Image.open(io.BytesIO(answer.content))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Pixelcost-Scale"].startswith("Values as the model gets them, from 0 to 255.")
    assert answer.headers["X-Pixelcost-Model-Version"] == "1"
    assert (picture.mode, picture.width == picture.height) == ("RGB", True)
    cat = Image.open(CAT).convert("RGB")
    side = int(min(cat.size) * 0.875)
    left, top = ((size - side) // 2 for size in cat.size)
    cat = cat.crop((left, top, left + side, top + side)).resize(picture.size, Image.Resampling.BICUBIC)
    difference = np.abs(np.asarray(picture, int) - np.asarray(cat, int))
    assert difference.mean() < 2  # two programs' bicubic filters, on the same photo


def test_a_smaller_variant_is_seen_blurred(web: WebProcess, run_id: str) -> None:
    pictures = [
        np.asarray(Image.open(io.BytesIO(seen(web, run_id, each).content)), float)
        for each in ("original", VARIANT)
    ]
    edges = [np.abs(np.diff(each, axis=0)).mean() for each in pictures]
    assert pictures[0].shape == pictures[1].shape
    assert edges[1] < 0.9 * edges[0]


def test_a_server_over_rest_is_asked_over_grpc(web: WebProcess, run_id: str) -> None:
    assert seen(web, run_id, backend="Real over REST").content == seen(web, run_id).content


@pytest.mark.parametrize(
    ("backend", "problem"),
    [
        ("Plain", (404, "no_decode_signature")),
        ("Down", (503, "not_seen")),
        ("Nobody", (404, "no_such_backend")),
        ("", (404, "no_such_backend")),
    ],
)
def test_a_backend_that_can_not_show_it_says_why(
    web: WebProcess, run_id: str, backend: str, problem: tuple[int, str]
) -> None:
    assert refusal(seen(web, run_id, backend=backend)) == problem


def test_nothing_is_asked_while_a_run_measures(web: WebProcess, run_id: str) -> None:
    plan = json.dumps({**PLAN, "repeats": 1000, "backend_names": ["Real"]})
    going: str = web.post("cat.png", plan, CAT.read_bytes()).json()["id"]
    try:
        answer = seen(web, run_id)
        assert refusal(answer) == (409, "run_measures")
        assert "disturb the run" in answer.json()["detail"]
    finally:
        requests.delete(f"{web.url}/api/runs/{going}", timeout=30)
        web.finished(going)
    assert seen(web, run_id).status_code == 200


def test_a_set_of_photos_has_no_bytes_to_look_at(web: WebProcess) -> None:
    files = [("file", (name, CAT.read_bytes(), "image/png")) for name in ("a.png", "b.png")]
    data = {"plan": json.dumps({**PLAN, "repeats": 1, "backend_names": ["Real"]})}
    going = requests.post(f"{web.url}/api/runs?photos=many", files=files, data=data, timeout=60).json()["id"]
    web.finished(going)
    assert refusal(seen(web, going)) == (404, "of_many_photos")


@pytest.mark.parametrize(
    ("values", "levels", "words"),
    [
        ([0.0, 127.4, 255.0], [0, 127, 255], "from 0 to 255."),
        ([-3.0, 128.0, 260.0], [0, 128, 255], "Values beyond 0 and 255 are cut."),
        ([0.0, 0.5, 1.0], [0, 128, 255], "from 0 to 1,"),
        ([-1.0, 0.0, 1.0], [0, 128, 255], "from -1 to 1,"),
        ([-2.0, 0.0, 2.6], [64, 128, 210], "from -4 to 4"),
        ([-120.0, 0.0, 120.0], [0, 128, 255], "from -120 to 120,"),
    ],
)
def test_values_of_any_range_become_8_bits_and_the_scale_is_said(
    values: list[float], levels: list[int], words: str
) -> None:
    found, scale = to_8_bits(np.array(values, np.float32).reshape(1, 3, 1))
    assert found.ravel().tolist() == pytest.approx(levels, abs=1)
    assert words in scale


def test_whole_numbers_stay_as_they_are() -> None:
    found, _ = to_8_bits(np.array([0, 1, 1], np.uint8).reshape(1, 3, 1))
    assert found.ravel().tolist() == [0, 1, 1]


# Copy as


def shell(command: str, folder: Path, *first_in_path: Path) -> str:
    """What the command prints; it must succeed and leave nothing that it was not meant to."""
    path = ":".join([*map(str, first_in_path), "/usr/local/bin:/usr/bin:/bin"])
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "pwned").exists()
    return done.stdout


def test_the_curl_command_really_asks_the_model(web: WebProcess, run_id: str, tmp_path: Path) -> None:
    command = copied(web, run_id, "curl")
    assert command.startswith("# 64 px JPEG to Real over REST.\n")
    answer = json.loads(shell(command, tmp_path))
    assert answer["predictions"][0]["classes"][0] == top_label(web, run_id)


RECORDER = """#!/bin/sh
printf '%s\\n' "$@" > arguments.txt
cat > given.json
"""


def recorded(name: str, command: str, folder: Path) -> list[str]:
    """Arguments that a tool of this name gets, and in given.json its standard input."""
    tool = folder / "bin" / name
    tool.parent.mkdir()
    tool.write_text(RECORDER)
    tool.chmod(0o755)
    shell(command, folder, tool.parent)
    return (folder / "arguments.txt").read_text().splitlines()


def asked_with(protoset: bytes, body: str, address: str) -> Any:
    """What a tool does: read the description, make the message of its JSON, send it."""
    described = descriptor_pb2.FileDescriptorSet.FromString(protoset)
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    method = pool.FindServiceByName("tensorflow.serving.PredictionService").FindMethodByName("Predict")
    request = message_factory.GetMessageClass(method.input_type)()
    json_format.Parse(body, request, descriptor_pool=pool)
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(PREDICT, response_deserializer=predict_pb2.PredictResponse.FromString)
        return ask(request.SerializeToString(), timeout=30)


@pytest.mark.parametrize("kind", ["curl", "grpcurl", "ghz"])
def test_grpc_tools_get_the_message_and_its_description_whatever_the_name(
    web: WebProcess, run_id: str, tmp_path: Path, kind: str
) -> None:
    command = copied(web, run_id, kind, ODD)  # over gRPC only, so curl is grpcurl
    name = "ghz" if kind == "ghz" else "grpcurl"
    arguments = recorded(name, command, tmp_path)
    address = next(each for each in arguments if each.startswith("127.0.0.1:"))
    given = tmp_path / ("given.json" if name == "grpcurl" else arguments[arguments.index("-D") + 1])
    assert "predict.protoset" in arguments
    answer = asked_with((tmp_path / "predict.protoset").read_bytes(), given.read_text(), address)
    assert answer.outputs["classes"].string_val[0].decode() == top_label(web, run_id)


def test_ghz_sends_one_request_at_a_time(web: WebProcess, run_id: str, tmp_path: Path) -> None:
    arguments = recorded("ghz", copied(web, run_id, "ghz"), tmp_path)
    assert arguments[arguments.index("-c") + 1] == "1"
    assert arguments[arguments.index("--call") + 1] == "tensorflow.serving.PredictionService.Predict"


def loaded(code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a Locust file, without Locust: its classes stand for what it would subclass."""
    locust = ModuleType("locust")
    vars(locust).update(HttpUser=object, User=object, task=lambda function: function)
    monkeypatch.setitem(sys.modules, "locust", locust)
    gevent = ModuleType("grpc.experimental.gevent")
    vars(gevent).update(init_gevent=lambda: None)
    monkeypatch.setitem(sys.modules, "grpc.experimental.gevent", gevent)
    monkeypatch.setattr("grpc.experimental.gevent", gevent, raising=False)
    names: dict[str, Any] = {}
    exec(compile(code, "locust_file.py", "exec"), names)
    return names


def test_the_locust_file_over_rest_asks_the_model(
    web: WebProcess, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = loaded(copied(web, run_id, "locust"), monkeypatch)
    caller = names["Caller"]()
    answers = []
    post = lambda path, name, **sent: answers.append(requests.post(caller.host + path, **sent))  # noqa: E731
    caller.client = SimpleNamespace(post=post)
    caller.predict()
    assert answers[0].json()["predictions"][0]["classes"][0] == top_label(web, run_id)


def test_the_locust_file_over_grpc_asks_the_model(
    web: WebProcess, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = loaded(copied(web, run_id, "locust", ODD), monkeypatch)
    image = web.get(f"/api/runs/{run_id}/variants/{VARIANT}").content
    request = predict_pb2.PredictRequest.FromString(names["REQUEST"])
    assert list(request.inputs["images"].string_val) == [image]
    fired: list[dict[str, Any]] = []
    caller = names["Caller"]()
    fire = SimpleNamespace(fire=lambda **told: fired.append(told))
    caller.environment = SimpleNamespace(events=SimpleNamespace(request=fire))
    caller.on_start()
    caller.predict()
    assert fired[0]["exception"] is None
    assert fired[0]["response_length"] > 0


def run_by_locust(code: str, folder: Path) -> tuple[dict[str, Any], str]:
    """The statistics of real Locust for a copied file, and what it printed beside them."""
    (folder / "copied.py").write_text(code)
    command = [sys.executable, "-m", "locust", "-f", "copied.py", "--headless", "--users", "2"]
    command += ["--spawn-rate", "2", "--json", "--stop-timeout", "60"]
    for seconds in (1, 8, 30):  # where the machine is busy, no request may come in the first second
        done = subprocess.run(
            [*command, "--run-time", str(seconds)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stderr
        if rows := json.loads(done.stdout):
            break
    (found,) = rows
    return found, done.stderr


@pytest.mark.parametrize(
    ("kind", "backend", "method"),
    [("locust", "Real", "POST"), ("locust-grpc", "Real", "gRPC"), ("locust", ODD, "gRPC")],
)
def test_real_locust_runs_the_copied_file(
    web: WebProcess, run_id: str, tmp_path: Path, kind: str, backend: str, method: str
) -> None:
    found, _ = run_by_locust(copied(web, run_id, kind, backend), tmp_path)
    assert (found["method"], found["name"]) == (method, VARIANT)
    assert found["num_requests"] > 0
    assert found["num_failures"] == 0


def test_the_locust_file_over_grpc_says_on_one_line_what_failed(
    web: WebProcess, run_id: str, tmp_path: Path
) -> None:
    found, said = run_by_locust(copied(web, run_id, "locust-grpc", "Down"), tmp_path)
    assert found["num_failures"] == found["num_requests"] > 0
    assert re.search(r"gRPC 64-jpeg-85: UNAVAILABLE: \S", said)


def test_each_kind_has_a_file_name_of_its_own(web: WebProcess, run_id: str) -> None:
    path = f"/api/runs/{run_id}/copy/{{}}?variant={VARIANT}&backend=Real"
    kinds = [kind for kind in KINDS if kind != "python"]  # that one is of queues
    given = [web.get(path.format(kind)).headers["Content-Disposition"] for kind in kinds]
    names = [each.partition("filename=")[2] for each in given]
    assert names[-2:] == ["locust_64_jpeg_85.py", "locust_grpc_64_jpeg_85.py"]
    assert len(set(names)) == len(kinds)
    assert f"locust -f {names[-1]} " in copied(web, run_id, "locust-grpc")


def test_what_can_not_be_copied_is_refused(web: WebProcess, run_id: str) -> None:
    path = f"/api/runs/{run_id}/copy"
    assert refusal(web.get(f"{path}/wget?variant={VARIANT}&backend=Real")) == (404, "bad_query")
    assert refusal(web.get(f"{path}/curl?variant=no&backend=Real")) == (404, "no_such_variant")
    assert refusal(web.get(f"{path}/curl?variant={VARIANT}&backend=no")) == (404, "no_such_backend")


def test_the_bytes_in_the_command_are_those_of_the_variant(
    web: WebProcess, run_id: str, tmp_path: Path
) -> None:
    recorded("grpcurl", copied(web, run_id, "grpcurl"), tmp_path)
    body = json.loads((tmp_path / "given.json").read_text())
    image = web.get(f"/api/runs/{run_id}/variants/{VARIANT}").content
    assert base64.b64decode(body["inputs"]["images"]["string_val"][0]) == image


@pytest.mark.parametrize("kind", ["curl", "grpcurl", "ghz"])
def test_where_a_token_is_needed_the_shell_puts_it_in(kind: str) -> None:
    info = BackendInfo("A", address="a:8500", model="inception")
    target = Target("64 px JPEG", VARIANT, "http://x/v", "http://x/p", info, None, needs_token=True)
    made = KINDS[kind](target)
    assert "# Set PIXELCOST_TOKEN first" in made
    assert made.count('-H "Authorization: Bearer $PIXELCOST_TOKEN"') == 2  # the variant and the description


@pytest.mark.parametrize("name", ["@@", "a@@@b", "@"])
def test_no_name_is_taken_for_the_place_of_the_image(name: str, tmp_path: Path) -> None:
    info = BackendInfo("A", address="a:8500", model=name, input_key=name)
    target = Target("64 px JPEG", VARIANT, "http://x/v", "http://x/p", info, None)
    for tool, does in (("curl", "printf image"), ("grpcurl", "cat > given.json")):
        (tmp_path / tool).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / tool).chmod(0o755)
    shell(KINDS["grpcurl"](target), tmp_path, tmp_path)
    body = json.loads((tmp_path / "given.json").read_text())
    assert base64.b64decode(body["inputs"][name]["string_val"][0]) == b"image"
    assert body["model_spec"]["name"] == name
    for kind in kinds_for(info):
        assert KINDS[kind](target)


def test_behind_a_proxy_the_command_names_the_address_that_the_browser_sees(tmp_path: Path) -> None:
    told = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "pixels.example",
        "X-Forwarded-Prefix": "/some/prefix",
    }
    with serving(tmp_path, trust_proxy=1) as app:
        client = app.test_client()
        body = {"file": (io.BytesIO(CAT.read_bytes()), "cat.png"), "plan": json.dumps(PLAN)}
        run_id = client.post("/api/runs", data=body).json["id"]  # type: ignore[index]
        path = f"/api/runs/{run_id}/copy/ghz?variant=original&backend=1%20CPU"
        answer = eventually(lambda: (got := client.get(path, headers=told)).status_code == 200 and got)
    assert f" https://pixels.example/some/prefix/api/runs/{run_id}/variants/original " in answer.text
    assert "https://pixels.example/some/prefix/api/predict.protoset" in answer.text


QUEUED = BackendInfo(
    "Queued `x`", "queue", "queue://host:6379/cats?db=1", url="queue://:s3cret@host:6379/cats?db=1"
)
TO_QUEUE = Target("64 px JPEG", VARIANT, "http://x/v", "http://x/p", QUEUED, None)


def test_a_queue_is_asked_through_the_gateway_by_curl(tmp_path: Path) -> None:
    made = KINDS["curl"](TO_QUEUE)
    (tmp_path / "curl").write_text(
        "#!/bin/sh\n"
        'echo "$@" >> asked.txt\n'
        'case "$*" in *http://x/v*) printf image ;;\n'
        '*/jobs) cat > given.bin; printf "HTTP/1.1 202 Accepted\\r\\nLocation: /jobs/j1\\r\\n\\r\\n" ;;\n'
        "*) echo answered ;; esac\n"
    )
    (tmp_path / "curl").chmod(0o755)
    assert shell(made, tmp_path, tmp_path).strip() == "answered"
    assert (tmp_path / "given.bin").read_bytes() == b"image"
    assert (tmp_path / "asked.txt").read_text().splitlines()[
        -1
    ] == "-sS http://localhost:4343/jobs/j1?wait=60"
    assert "s3cret" not in made


def test_a_queue_is_asked_by_python_with_a_job(
    queue: QueueSettings, redis_client: redis.Redis, web: WebProcess, run_id: str, tmp_path: Path
) -> None:
    address = f"queue+unix://{queue.url.removeprefix('unix://')}?stream={queue.stream}"
    url = f"{web.url}/api/runs/{run_id}/variants/{VARIANT}"
    info = BackendInfo("Queued", "queue", address)
    made = KINDS["python"](Target("64 px JPEG", VARIANT, url, "http://x/p", info, None))
    (tmp_path / "ask.py").write_text(made)
    with running_worker(redis_client, queue, Labels()):
        done = subprocess.run(
            [sys.executable, str(tmp_path / "ask.py")],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert json.loads(done.stdout)["top"][0]["label"] == "tabby", done.stderr


def test_each_backend_has_its_kinds() -> None:
    assert kinds_for(QUEUED) == ("curl", "python")
    assert kinds_for(BackendInfo("A")) == ("curl", "grpcurl", "ghz", "locust", "locust-grpc")
