"""Configuration files, reloading, policies, labels and batching, by tensorflow_model_server's flags."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
import pytest
import requests

from experiment.protocol import predict_pb2
from serving.config import text_messages
from serving.errors import StartRefused
from tests.support.models.servables import place, servable, version
from tests.support.processes.model_server import (
    eventually,
    model_list,
    model_server,
    numbers,
    one_model,
    spec,
)
from tests.support.processes.serving_client import refused
from tests.support.processes.serving_process import run_server

NOT_FOUND, PRECONDITION = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT

TWO, THREE = "half_plus_two", "half_plus_three"


def single(name: str) -> str:
    return model_list(one_model(name, servable(name)))


def versions(policy: str, labels: str = "") -> str:
    return model_list(
        one_model("m", servable("two_versions"), f"model_version_policy {{ {policy} }} {labels}")
    )


def label(name: str, version: int) -> str:
    return f"version_labels {{ key: '{name}' value: {version} }}"


@pytest.fixture
def config(tmp_path):
    return tmp_path / "models.config"


@pytest.fixture(scope="module")
def reloadable(tmp_path_factory):
    """A server whose models are changed by HandleReloadConfigRequest."""
    config = tmp_path_factory.mktemp("config") / "models.config"
    config.write_text(single(TWO))
    with model_server(f"--model_config_file={config}") as server:
        yield server


# Files


def test_a_file_that_is_no_config_ends_the_start_in_tensorflow_servings_words(config):
    config.write_text("improper_format")
    done = run_server("--port=0", "--rest_api_port=1", f"--model_config_file={config}")
    assert done.returncode != 0
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in done.stderr
    assert str(config) in done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (model_list("config { name: 'a' }"), "base_path"),
        (model_list("config { name: 'a' base_path: '/nix/there' }"), "/nix/there"),
        (model_list(one_model("a", "/x", "model_type: TENSORFLOW version_labels { key: 'a' }")), "/x"),
    ],
)
def test_a_config_that_can_not_work_ends_the_start_and_names_why(config, text, why):
    config.write_text(text)
    done = run_server("--port=0", "--rest_api_port=1", f"--model_config_file={config}")
    assert done.returncode != 0
    assert why in done.stderr


def test_files_with_a_byte_order_mark_and_paths_as_file_addresses_are_read(tmp_path):
    """As Windows writes text, and as TensorFlow Serving takes paths."""
    texts = {
        "models": (model_list(one_model("größe", f"file://{servable(TWO)}")), "utf-16"),
        "monitoring": ("prometheus_config { enable: true path: '/größe/metrics' }", "utf-8-sig"),
        "batching": ("max_batch_size { value: 8 }", "utf-32"),
    }
    for name, (text, encoding) in texts.items():
        (tmp_path / name).write_text(text, encoding)
    flags = (
        f"--model_config_file=file://{tmp_path / 'models'}",
        f"--monitoring_config_file=file://localhost{tmp_path / 'monitoring'}",
        f"--batching_parameters_file={tmp_path / 'batching'}",
    )
    with model_server(*flags, "--enable_batching") as server:
        assert server.y("größe") == [3.0]
        page = requests.get(f"{server.rest_url}/gr%C3%B6%C3%9Fe/metrics", timeout=10)
        assert ':tensorflow:serving:request_count{model_name="größe",status="OK"} 1' in page.text


@pytest.mark.parametrize("flag", ["model_config_file", "monitoring_config_file", "batching_parameters_file"])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("# ok\n# größe".encode("latin-1"), "it is not UTF-8 text from line 2 on. Save it as UTF-8."),
        (b"\xff\xfe#\x00\x00", "it is not UTF-16 text from line 1 on. Save it as UTF-8."),
        ("# ok".encode("utf-16-le"), "it holds NUL characters, as UTF-16 does. Save it as UTF-8."),
    ],
)
def test_a_file_in_another_encoding_ends_the_start_with_a_sentence(tmp_path, flag, data, why):
    file = tmp_path / "file"
    file.write_bytes(data)
    read = {
        "model_config_file": text_messages.read_models,
        "monitoring_config_file": text_messages.read_monitoring,
        "batching_parameters_file": text_messages.read_batching,
    }[flag]
    with pytest.raises(StartRefused) as caught:
        read(file)
    assert str(caught.value).startswith("Error parsing text-format tensorflow.serving.")
    assert str(caught.value).endswith(f": {why} Correct the file {file}.")


REMOTE = ("s3://bucket/models", "gs://bucket/models", "hdfs://host:9000/models", "https://host/models")


@pytest.mark.parametrize("path", REMOTE)
@pytest.mark.parametrize("flag", ["model_base_path", "model_config_file"])
def test_a_path_on_another_machine_ends_the_start_and_says_what_to_do(flag, path):
    done = run_server("--port=0", "--rest_api_port=1", f"--{flag}={path}")
    assert done.returncode == 2
    assert f"{path} is on {path.partition('://')[0]}://, and this server reads local files" in done.stderr
    assert "Mount that storage, or copy the files" in done.stderr


@pytest.mark.parametrize(
    ("path", "why"),
    [
        *((path, "Mount that storage") for path in REMOTE),
        ("file://models/x", "names the host 'models'. A local path has three slashes: file:///models/x."),
        ("/models\\000x", "it holds a NUL character, which no path may have."),
    ],
)
def test_a_base_path_that_is_none_of_this_machine_is_refused_when_reloading(reloadable, path, why):
    with refused(INVALID, "The base_path of model m can't be used: ", why):
        reloadable.reload(model_list(one_model("m", path), one_model(TWO, servable(TWO))))
    assert reloadable.y(TWO) == [3.0]


def test_a_changed_file_is_served_after_the_poll(config):
    config.write_text(single(TWO))
    with model_server(f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1") as server:
        assert server.y(TWO) == [3.0]
        config.write_text(single(THREE))
        eventually(lambda: has(server, THREE), server)
        assert server.y(THREE) == [4.0]
        with refused(NOT_FOUND, f"Servable not found for request: Latest({TWO})"):
            server.predict(TWO)
        config.write_text("improper_format")
        eventually(lambda: "Error parsing text-format" in server.log(), server)
        assert server.y(THREE) == [4.0]


def test_a_file_that_is_empty_for_a_moment_takes_no_model_down(config):
    config.write_text(single(TWO))
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=0.2")
    with model_server(*flags) as server:
        config.write_text("")
        eventually(lambda: "The configuration is empty" in server.log(), server)
        assert server.y(TWO) == [3.0]


def test_without_polling_a_changed_file_changes_nothing(config, tmp_path):
    base = tmp_path / "model"
    place(version("rank_1"), base, 1)
    config.write_text(model_list(one_model("m", base)))
    flags = ("--model_config_file_poll_wait_seconds=0", "--file_system_poll_wait_seconds=0.2")
    with model_server(f"--model_config_file={config}", *flags) as server:
        config.write_text(single(THREE))
        place(version("rank_1"), base, 2)
        eventually(lambda: server.predict("m").model_spec.version.value == 2, server)
        with refused(NOT_FOUND, f"Servable not found for request: Latest({THREE})"):
            server.predict(THREE)


def has(server, model: str) -> bool:
    with suppress(grpc.RpcError):
        return "AVAILABLE" in server.status(model).values()
    return False


# Reloading by a request


def test_a_reload_serves_the_new_models_and_only_those(reloadable):
    response = reloadable.reload(model_list(*(one_model(name, servable(name)) for name in (TWO, THREE))))
    assert response.status.error_code == 0
    assert (reloadable.y(TWO), reloadable.y(THREE)) == ([3.0], [4.0])
    reloadable.reload(single(THREE))
    with refused(NOT_FOUND, f"Servable not found for request: Latest({TWO})"):
        reloadable.predict(TWO)
    assert reloadable.y(THREE) == [4.0]


def test_a_reload_that_can_not_work_leaves_what_was_served(reloadable):
    reloadable.reload(single(TWO))
    twice = model_list(*[one_model(TWO, servable(TWO))] * 2)
    with refused(INVALID, f"Illegal to list model {TWO} multiple times in config list"):
        reloadable.reload(twice)
    with refused(INVALID, "Only ModelConfigList is currently supported"):
        reloadable.reload("")
    assert reloadable.y(TWO) == [3.0]


@pytest.mark.parametrize(
    ("model", "why"), [("truncated", "can't be loaded"), ("nix", "has no version to serve")]
)
def test_a_reload_says_which_model_can_not_be_served_and_serves_the_others(reloadable, model, why):
    base = servable(TWO).parent / model
    with refused(grpc.StatusCode.UNKNOWN, why, str(base)):
        reloadable.reload(model_list(one_model("m", base), one_model(TWO, servable(TWO))))
    assert reloadable.y(TWO) == [3.0]


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", {124}),
        ("latest { }", {124}),
        ("latest { num_versions: 2 }", {123, 124}),
        ("all { }", {123, 124}),
        ("specific { versions: 123 }", {123}),
    ],
)
def test_the_policy_chooses_the_versions(reloadable, policy, served):
    reloadable.reload(versions(policy))
    eventually(lambda: available(reloadable) == served, reloadable)


def available(server) -> set[int]:
    return {number for number, state in server.status("m").items() if state == "AVAILABLE"}


def test_a_version_can_come_back_while_its_last_request_is_answered(reloadable, tmp_path):
    base = tmp_path / "model"
    for number in (1, 2):
        place(version("slow"), base, number)

    def reload(versions: str) -> None:
        policy = f"model_version_policy {{ specific {{ {versions} }} }}"
        reloadable.reload(model_list(one_model("m", base, policy)))

    def asked_before_the_reload() -> grpc.StatusCode:
        reload("versions: 1 versions: 2")
        call = reloadable.client.prediction.Predict.future(request, timeout=20)
        eventually(lambda: slow(reloadable, [0.0], "m") == [0.0], reloadable)
        reload("versions: 2")
        reload("versions: 1 versions: 2")
        assert available(reloadable) == {1, 2}
        return call.code()

    request = predict_pb2.PredictRequest(model_spec=spec("m", version=1), inputs={"seconds": numbers(1.0)})
    # On a busy machine the request may reach the server after the reload; then it proves nothing.
    codes = (asked_before_the_reload() for _ in range(5))
    assert next(code for code in codes if code != grpc.StatusCode.NOT_FOUND) == grpc.StatusCode.OK


BOTH = "specific { versions: 123 versions: 124 }"


def test_a_label_moves_from_version_to_version(reloadable):
    reloadable.reload(versions(BOTH))
    for stable, canary in ((123, 124), (124, 124), (123, 124)):
        reloadable.reload(versions(BOTH, label("stable", stable) + label("canary", canary)))
        for name, number in (("stable", stable), ("canary", canary)):
            assert reloadable.predict("m", label=name).model_spec.version.value == number
            assert list(reloadable.status("m", label=name)) == [number]
    reloadable.reload(versions(BOTH))
    with refused(INVALID, "Unrecognized servable version label: stable"):
        reloadable.predict("m", label="stable")


def test_a_labelled_version_can_be_rolled_back(reloadable):
    for number in (123, 124, 123):
        reloadable.reload(versions(f"specific {{ versions: {number} }}", label("stable", number)))
        assert reloadable.predict("m", label="stable").model_spec.version.value == number


def test_a_label_can_not_be_given_to_a_version_that_is_not_there(reloadable):
    reloadable.reload(versions(BOTH, label("stable", 123)))
    with refused(
        PRECONDITION,
        "Request to assign label to version 7 of model m, which is not currently available for inference",
    ):
        reloadable.reload(versions(BOTH, label("stable", 7)))
    assert reloadable.y("m", label="stable") == [3.0]


# Batching


def test_what_waits_is_computed_together_and_answers_stay_apart(tmp_path):
    parameters, monitoring = tmp_path / "batching.config", tmp_path / "monitoring.config"
    parameters.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 2000 } max_enqueued_batches { value: 99 } "
        "num_batch_threads { value: 1 } allowed_batch_sizes: 4 allowed_batch_sizes: 8 "
    )
    monitoring.write_text("prometheus_config { enable: true }")
    flags = ("--enable_batching=true", f"--batching_parameters_file={parameters}")
    files = (f"--monitoring_config_file={monitoring}", f"--model_base_path={servable('slow')}")
    with model_server(*flags, *files) as server:
        asked = [[0.02 + i / 1000] * (1 + i % 3) for i in range(24)]
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda seconds: slow(server, seconds), asked))
        assert [pytest.approx(answer) for answer in answers] == asked
        with refused(INVALID, "Task size 9 is larger than maximum input batch size 8"):
            slow(server, [0.0] * 9)
        page = requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=10).text
    runs = float(page.split(":tensorflow:core:graph_runs{} ")[1].split()[0])
    assert 24 * 2 / 8 <= runs < 24


def slow(server, seconds: list[float], model: str = "default") -> list[float]:
    outputs = server.predict(model, inputs={"seconds": numbers(*seconds)}).outputs
    return list(outputs["seconds"].float_val)


def test_batching_that_can_not_work_ends_the_start(tmp_path):
    parameters = tmp_path / "batching.config"
    parameters.write_text("max_batch_size { value: 8 } allowed_batch_sizes: 4")
    flags = ("--enable_batching", f"--batching_parameters_file={parameters}")
    done = run_server(*flags, f"--model_base_path={servable(TWO)}")
    assert done.returncode != 0
    assert "must equal max_batch_size" in done.stderr
