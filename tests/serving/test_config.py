"""Flags and configuration files: what is read from them, and what is said about wrong ones."""

from __future__ import annotations

import pytest

import serving  # noqa: F401  # lets the messages load without TensorFlow
from serving.config import flags
from serving.config.text_messages import (
    PROMETHEUS_PATH,
    Batching,
    Monitoring,
    read_batching,
    read_models,
    read_monitoring,
    read_ssl,
)
from serving.errors import StartRefused
from serving.machine.process import choose_cores


@pytest.fixture
def file(tmp_path):
    """Writes a text into a file."""

    def write(text: str):
        path = tmp_path / "x.config"
        path.write_text(text, "utf-8")
        return path

    return write


def test_the_models_of_a_file_come_with_policy_and_labels(file):
    config = read_models(
        file(
            "model_config_list { config { name: 'a' base_path: \"/m/a\" model_platform: 'tensorflow'\n"
            " model_version_policy { specific { versions: 42 versions: 43 } }  # both\n"
            " version_labels { key: 'stable' value: 42 } } }"
        )
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("a", "/m/a")
    assert list(model.model_version_policy.specific.versions) == [42, 43]
    assert dict(model.version_labels) == {"stable": 42}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("improper_format", '1:1: Message type "tensorflow.serving.ModelServerConfig" has no field named'),
        (
            "model_config_list {\n config {\n  foo: 1",
            '3:3: Message type "tensorflow.serving.ModelConfig" has',
        ),
        ("model_config_list { config { base_path: 3 } }", "1:41: "),
        ("model_config_list {", "Expected"),
    ],
)
def test_a_wrong_file_is_refused_in_tensorflow_servings_words(file, text, why):
    path = file(text)
    with pytest.raises(StartRefused) as caught:
        read_models(path)
    message = str(caught.value)
    assert message.startswith("Error parsing text-format tensorflow.serving.ModelServerConfig: ")
    assert why in message
    assert str(path) in message


def test_a_missing_file_and_bytes_that_are_no_text_are_refused_by_name(tmp_path):
    with pytest.raises(StartRefused, match=r"gone\.config can't be read: No such file"):
        read_models(tmp_path / "gone.config")
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(StartRefused, match=r"tensorflow\.serving\.ModelServerConfig: .*bytes"):
        read_models(tmp_path / "bytes")


def test_batching_is_read_from_the_example_of_tensorflow_servings_guide(file):
    text = (
        "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 0 }\n"
        "max_enqueued_batches { value: 1000000 }\nnum_batch_threads { value: 8 }\n"
    )
    assert read_batching(file(text)) == Batching(128, 0, 1_000_000, 8)


def test_batching_that_is_not_given_has_tensorflow_servings_defaults(file):
    batching = read_batching(file('thread_pool_name { value: "x" } pad_variable_length_inputs: true'))
    assert (batching.max_batch_size, batching.batch_timeout_micros, batching.max_enqueued_batches) == (
        1000,
        0,
        10,
    )
    assert batching.pad_variable_length_inputs


def test_allowed_batch_sizes_are_a_list(file):
    text = "max_batch_size { value: 8 } allowed_batch_sizes: 2 allowed_batch_sizes: [4, 8]"
    assert read_batching(file(text)).allowed_batch_sizes == (2, 4, 8)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be 1 or more, not 0"),
        ("num_batch_threads { value: -1 }", "num_batch_threads must be 1 or more, not -1"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches must be"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be 0 or more"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [4, 2]", "increasing order"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [2, 2, 4]", "increasing order"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]", "must equal max_batch_size, which is 8"),
        ("max_batch_size: 4", "Error parsing text-format tensorflow.serving.BatchingParameters: 1:"),
    ],
)
def test_batching_that_can_not_work_is_refused(file, text, why):
    with pytest.raises(StartRefused) as caught:
        read_batching(file(text))
    assert why in str(caught.value)


def test_monitoring_is_off_unless_enabled_and_has_tensorflow_servings_path(file):
    assert read_monitoring(file("")) == Monitoring(False, PROMETHEUS_PATH)
    assert read_monitoring(file("prometheus_config { enable: true }")) == Monitoring(True, PROMETHEUS_PATH)
    text = 'prometheus_config: {\n enable: true,\n path: "/metrics"\n}'
    assert read_monitoring(file(text)) == Monitoring(True, "/metrics")
    with pytest.raises(StartRefused, match="slash"):
        read_monitoring(file('prometheus_config { path: "metrics" }'))


def test_certificates_are_read_as_text_and_both_are_needed(file):
    ssl = read_ssl(file('server_key: "KEY\\n" "MORE" server_cert: "CERT" client_verify: true'))
    assert (ssl.server_key, ssl.server_cert, ssl.client_verify) == ("KEY\nMORE", "CERT", True)
    with pytest.raises(StartRefused, match="has no server_cert"):
        read_ssl(file('server_key: "KEY"'))


# Flags and cores


def test_as_many_cores_as_there_are_when_more_are_wanted():
    assert str(choose_cores(8, None, {0, 1})) == "cores 0,1 (8 wanted, 2 on this machine)"
    assert str(choose_cores(1, None, {3, 5})) == "cores 3"
    assert str(choose_cores(None, (5,), {3, 5})) == "cores 5"


@pytest.mark.parametrize("value", ["", "=true", "=True", "=1"])
def test_a_switch_is_spelled_as_tensorflow_serving_spells_it(value):
    assert flags.parse(["--model_base_path=m", f"--exit_with_parent{value}"]).exit_with_parent
    assert not flags.parse(["--model_base_path=m", "--exit_with_parent=false"]).exit_with_parent


def test_cores_are_read_as_a_list_with_ranges():
    assert flags.parse(["--model_base_path=m", "--cores=4,0-2"]).cores == (0, 1, 2, 4)


def test_a_flag_is_never_guessed_from_its_beginning():
    with pytest.raises(StartRefused, match=r"Unknown flag --model_base\."):
        flags.parse(["--model_base", "m"])
