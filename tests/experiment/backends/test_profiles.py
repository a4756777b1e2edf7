"""PIXELCOST_EMBEDDED: what is accepted, what the messages say when it is not, and what is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.embedded import supervisor as embedded
from experiment.embedded.model import model_in
from experiment.embedded.profiles import PRECISIONS, PROFILES, Profile, parse_embedded
from experiment.embedded.supervisor import EmbeddedServer, EmbeddedServers, running_servers
from experiment.errors import ConfigRefused, EmbeddedFailed
from serving.runtimes import RUNTIMES
from tests.support.processes.app_process import CAT, ROOT
from tests.support.processes.serving_process import default_model_dir


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigRefused) as refused:
        parse_embedded(text)
    return refused.value.problems


def command(profile: Profile, cores: tuple[int, ...] = (0,)) -> str:
    """The command line of the server that a profile starts."""
    model = {"name": "lite", "base_path": "/models/lite"}
    return " ".join(EmbeddedServer(profile, cores, model, Path("unused.log")).command())


@pytest.mark.parametrize("text", ["", "  "])
def test_unset_it_means_the_three_backends_of_2018(text):
    assert parse_embedded(text) == PROFILES
    assert [(each.name, each.cpus, each.device) for each in PROFILES] == [
        ("GPU", 4, "GPU"),
        ("1 CPU", 1, "CPU"),
        ("8 CPU", 8, "CPU"),
    ]


def test_names_and_options_are_read_in_their_order():
    assert parse_embedded("1 CPU:cpus=1;8 CPU:cpus=8;1 CPU bf16:cpus=1,runtime=openvino,precision=bf16") == (
        Profile("1 CPU", 1),
        Profile("8 CPU", 8),
        Profile("1 CPU bf16", 1, runtime="openvino", precision="bf16"),
    )


def test_spaces_capitals_and_a_last_semicolon_are_tolerated():
    assert parse_embedded(
        " four :  cpus = 1 , replicas=4, Runtime = OpenVINO;; ".replace("Runtime", "runtime")
    ) == (Profile("four", 1, replicas=4, runtime="openvino"),)


def test_every_option_is_kept():
    (profile,) = parse_embedded("a:cpus=2,isa=AVX2,replicas=3,model=/m:1,price_per_hour=0.35,device=cpu")
    assert profile == Profile("a", 2, "CPU", isa="avx2", replicas=3, model="/m:1", price_per_hour=0.35)
    assert profile.cores_wanted == 6


def test_a_gpu_needs_no_cpus():
    assert parse_embedded("GPU:device=gpu") == (PROFILES[0],)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (";", "it names no backend; write for example `1 CPU:cpus=1"),
        (":cpus=1", "has no name"),
        ("cpus=1", "has `=` in its name"),
        ("1, 2:cpus=1", "has `,` in its name"),
        ("x" * 61 + ":cpus=1", "at most 60 characters"),
        ("a over REST:cpus=1", "ends with `over REST`"),
        ("1 CPU", "has no cpus; say how many cores it gets"),
        ("a:cpus=0", "has cpus=`0`; cpus is a whole number from 1 to 1024"),
        ("a:cpus=two", "has cpus=`two`; cpus is a whole number"),
        ("a:cpus=-1", "has cpus=`-1`"),
        ("a:cpus=", "has cpus=``"),
        ("a:cpus", "has the option `cpus` without a value; write cpus=…"),
        ("a:cpus=1,cpus=2", "gives cpus twice"),
        ("a:cpus=1,colour=red", "unknown option `colour`; there are cpus, device, runtime, precision"),
        ("a:cpus=1,device=tpu", "has device=`tpu`; device is one of cpu, gpu"),
        ("a:cpus=1,runtime=caffe", "has runtime=`caffe`; runtime is one of auto, tensorflow, openvino"),
        ("a:cpus=1,runtime=openvino,precision=int8", "has precision=`int8`; precision is one of f32, bf16"),
        (
            "a:cpus=1,precision=bf16",
            "has precision=bf16, but no runtime; write runtime=openvino or runtime=pytorch beside it",
        ),
        (
            "a:cpus=1,runtime=tensorflow,precision=bf16",
            "has precision=bf16, which tensorflow does not compute in; write runtime=openvino",
        ),
        ("a:cpus=1,isa=avx 2", "has isa=`avx 2`; isa is the name of an instruction set"),
        ("a:cpus=1,replicas=65", "has replicas=`65`; replicas is a whole number from 1 to 64"),
        ("a:cpus=1,model=", "has model=``; model is a folder"),
        ("a:cpus=1,price_per_hour=nan", "has price_per_hour=`nan`; price_per_hour is a price"),
        ("g:device=gpu,replicas=2", "has replicas=2 on a GPU"),
        ("g:device=gpu,isa=avx2", "has isa=avx2 on a GPU"),
        (
            "g:device=gpu,runtime=litert",
            "has runtime=litert on a GPU; there the runtime is auto or tensorflow",
        ),
    ],
)
def test_each_mistake_has_its_sentence(text, words):
    (problem,) = problems(text)
    assert words in problem


def test_all_mistakes_are_named_at_once_with_their_entries():
    assert problems("1 CPU:cpus=two,color=red;8 CPU:cpus=8;8  cpu:cpus=8") == (
        "entry 1 `1 CPU:cpus=two,color=red` has cpus=`two`; cpus is a whole number from 1 to 1024",
        "entry 1 `1 CPU:cpus=two,color=red` has the unknown option `color`; there are cpus, device, runtime, "
        "precision, isa, replicas, model, price_per_hour",
        "entry 3 `8  cpu:cpus=8` repeats the name `8 cpu`; every backend needs one of its own",
    )


@given(st.text(alphabet="ab1 :;,=cpus\n\x00é-", max_size=40))
def test_any_text_is_either_read_or_refused_in_words(text):
    try:
        assert parse_embedded(text)
    except ConfigRefused as refusal:
        assert refusal.problems


def test_the_precisions_are_those_that_the_server_has():
    assert {name: row.precisions for name, row in RUNTIMES.items()} == PRECISIONS


def test_servers_that_run_with_another_plan_are_not_taken_for_those_asked_for(tmp_path):
    state = {"supervisor_pid": os.getpid(), "model": {"name": "lite"}, "asked": [], "backends": []}
    state["asked"] = [asdict(each) for each in parse_embedded("a:cpus=1,replicas=2")]
    (tmp_path / "embedded.json").write_text(json.dumps(state))
    assert running_servers(tmp_path) == ({"name": "lite"}, [])
    assert running_servers(tmp_path, parse_embedded(" a : replicas=2,cpus=1")) == ({"name": "lite"}, [])
    with pytest.raises(EmbeddedFailed, match=r"asks for: a\. Stop them, unset it to use them"):
        running_servers(tmp_path, PROFILES)


def test_a_profile_of_today_is_started_as_it_always_was():
    started = command(Profile("8 CPU", 8), (0, 1))
    assert "--cores 0,1 --device cpu --exit_with_parent" in started
    assert "--model_name lite --model_base_path /models/lite" in started


def test_what_a_profile_asks_for_reaches_its_server(tmp_path):
    (tmp_path / "tiny" / "1").mkdir(parents=True)
    profile = Profile(
        "x", 1, runtime="openvino", precision="bf16", isa="avx2", replicas=2, model=str(tmp_path / "tiny")
    )
    started = command(profile, (0, 1))
    assert f"--model_name tiny --model_base_path {tmp_path}/tiny" in started
    assert "--cores 0,1" in started
    assert "--runtime openvino --precision bf16 --isa avx2 --exit_with_parent" in started


def test_the_servers_of_a_plan_start_and_tell_what_they_are(tmp_path):
    plan = parse_embedded("plain:cpus=1,price_per_hour=0.1;two:cpus=1,replicas=2,runtime=tensorflow")
    with EmbeddedServers(tmp_path, model_in(str(default_model_dir())), plan) as servers:
        servers.wait_ready()
        plain, two, *twins = servers.infos()
    assert (plain.name, plain.replicas, plain.cpus, plain.price_per_hour) == ("plain", 1, 1, 0.1)
    assert (two.name, two.replicas, two.cpus, two.precision) == ("two", 2, 2, "f32")
    assert plain.runtime == two.runtime
    assert str(two.runtime).startswith("TensorFlow 2.")
    assert [each.name for each in twins] == ["plain over REST", "two over REST"]


def test_the_command_line_refuses_a_wrong_plan_before_it_starts_anything(tmp_path):
    environ = os.environ | {"PIXELCOST_EMBEDDED": "1 CPU:cpus=0;x", "PIXELCOST_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "experiment", str(CAT)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    start = "The configuration has 2 problems: PIXELCOST_EMBEDDED entry 1 `1 CPU:cpus=0` has cpus=`0`"
    assert done.stderr.startswith(start)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("runtime", "file", "asked_about"),
    [
        ("pytorch", "saved_model.pb", "pytorch"),
        ("auto", "saved_model.pb", "tensorflow"),
        ("auto", "model.pt", "auto"),
    ],
)
def test_a_gpu_backend_is_absent_where_its_own_runtime_can_not_use_the_gpu(
    tmp_path, monkeypatch, runtime, file, asked_about
):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / file).touch()
    monkeypatch.setattr(embedded, "_gpu_problem", lambda runtime: f"{runtime} can't use it.")
    plan = [Profile("GPU", 4, "GPU", runtime)]
    (absent,) = EmbeddedServers(tmp_path, model_in(str(tmp_path)), plan).infos()
    assert (absent.state, absent.detail) == ("absent", f"No GPU on this machine: {asked_about} can't use it.")
