"""compose.yaml and the swarm stack: read by Docker's own programs, and held to the project's rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.support.deploy.container_rules import problems
from tests.support.deploy.deployments import (
    API,
    MODEL,
    SERVING,
    WEB,
    Container,
    compose,
    read_compose,
    read_swarm,
)
from tests.support.deploy.dockerfile import ROOT, read_stages
from webapp.config import rows

SWARM = ROOT / "deploy" / "swarm"
WAYS = {
    "compose": read_compose(profiles="gpu"),
    "swarm": read_swarm(SWARM / "pixelcost.yaml", SWARM / "gpu.yaml", SWARM / "token.yaml"),
}
EACH = [pytest.param(each, id=f"{way}-{each.service}") for way, found in WAYS.items() for each in found]
SERVERS = [each for each in EACH if each.values[0].role == SERVING]


def test_compose_itself_refuses_a_key_that_it_does_not_know(tmp_path: Path) -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    (tmp_path / "compose.yaml").write_text(text.replace("read_only: true", "readonly: true"))
    with pytest.raises(AssertionError, match="readonly"):
        compose("config", "--quiet", path=tmp_path / "compose.yaml")


def stack_config(*files: Path) -> dict[str, object]:
    """The services as Docker's own client reads them; the test is skipped where there is none."""
    if not shutil.which("docker"):
        pytest.skip("The stack is not read by Docker: no docker client on this machine")
    named = [part for file in files for part in ("-c", str(file))]
    command = ["docker", "stack", "config", *named]
    environ = {**os.environ, "REGISTRY": "registry.example/"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    services: dict[str, object] = yaml.safe_load(done.stdout)["services"]
    return services


def test_docker_reads_the_stack_of_the_models_api() -> None:
    services = stack_config(SWARM / "cpu-inference.yaml")
    assert set(services) == {"api"}


@pytest.mark.parametrize("more", [(), ("gpu.yaml",), ("token.yaml",), ("gpu.yaml", "token.yaml")])
def test_docker_reads_the_stack_with_every_addition(more: tuple[str, ...]) -> None:
    services = stack_config(*(SWARM / name for name in ("pixelcost.yaml", *more)))
    assert set(services) == {
        each.service for each in read_swarm(SWARM / "pixelcost.yaml", *(SWARM / m for m in more))
    }


def documented(language: str = "sh") -> list[str]:
    """The blocks of docs/swarm.md that read or write pixelcost.env."""
    text = (ROOT / "docs" / "swarm.md").read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if "pixelcost.env" in block]


def test_every_documented_deploy_has_all_that_those_before_it_added_also_in_a_new_shell(tmp_path) -> None:
    (tmp_path / "docker").write_text('#!/bin/sh\necho "$REGISTRY|$REPLICAS_1CPU|$*" >> said\n')
    (tmp_path / "docker").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for block in documented():  # a shell each
        subprocess.run(["bash", "-ec", block], cwd=tmp_path, env=environ, check=True, timeout=60)
    said = (tmp_path / "said").read_text().splitlines()
    deploys = [line for line in said if "stack deploy" in line]
    files = [set(re.findall(r"-c (\S+)", line)) for line in deploys]
    assert all(before <= after for before, after in pairwise(files))
    assert files[-1] == {f"deploy/swarm/{name}.yaml" for name in ("pixelcost", "token", "gpu")}
    assert {line.partition("|")[0] for line in deploys} == {"registry.example/team/"}
    assert deploys[-1].split("|")[1] == "3"


def settings_of_commands() -> list[str]:
    """What docs/compose.md sets before `docker compose`: "CPUSET_WEB=0 PORT=8080"."""
    text = (ROOT / "docs" / "compose.md").read_text("utf-8")
    return sorted(
        {found.strip() for found in re.findall(r"((?:\b[A-Z][A-Z0-9_]*=\S+ )+)docker compose", text)}
    )


@pytest.mark.parametrize("settings", settings_of_commands())
def test_compose_reads_its_file_with_the_settings_of_every_documented_command(settings: str) -> None:
    environ = dict(part.split("=", 1) for part in settings.split())
    read = json.loads(compose("config", "--format", "json", **environ))
    unlike = json.dumps(read) != json.dumps(json.loads(compose("config", "--format", "json")))
    assert unlike, "a variable that nothing in the file reads"
    cores = {name: spec["cpuset"] for name, spec in read["services"].items() if "cpuset" in spec}
    wanted = {
        key: environ[name]
        for key, name in (("image-resizer", "CPUSET_WEB"), ("tf-serving-8cpu", "CPUSET_8CPU"))
        if name in environ
    }
    assert wanted.items() <= cores.items()


def forgetful(text: str) -> list[str]:
    """Commands after which the next deploy, or this one, takes something away from the stack `pixelcost`."""
    deploys = re.findall(r"docker stack deploy [^`#\n]*\bpixelcost$", text, re.MULTILINE)
    changes = re.findall(r"docker service (?:scale|update)[^`\n]* pixelcost_\S+", text)
    return [line for line in deploys if "$STACK" not in line] + changes


@pytest.mark.parametrize("name", ["swarm", "scaling", "compose"])
def test_no_document_has_a_command_for_the_stack_that_a_later_deploy_undoes(name: str) -> None:
    assert forgetful((ROOT / "docs" / f"{name}.md").read_text("utf-8")) == []


@pytest.mark.parametrize(
    "command",
    [
        "docker stack deploy -c deploy/swarm/pixelcost.yaml -c deploy/swarm/gpu.yaml pixelcost",
        "docker service scale pixelcost_tf-serving-1cpu=3",
        "docker service update --image tensorflow/serving:NEWER pixelcost_tf-serving-1cpu",
    ],
)
def test_a_command_that_opened_the_page_or_lost_replicas_would_be_found(command: str) -> None:
    assert forgetful(f"```sh\n{command}\n```") == [command]


def test_a_stack_is_not_deployed_by_a_shell_that_does_not_know_the_registry() -> None:
    if not shutil.which("docker"):
        pytest.skip("The stack is not read by Docker: no docker client on this machine")
    environ = {name: value for name, value in os.environ.items() if name != "REGISTRY"}
    command = ["docker", "stack", "config", "-c", str(SWARM / "pixelcost.yaml")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "REGISTRY is missing a value" in done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_no_rule_is_broken(way: str) -> None:
    assert problems(way, WAYS[way]) == []


def test_the_stack_of_the_models_api_breaks_no_rule_and_keeps_what_the_earlier_one_had() -> None:
    (api,) = read_swarm(SWARM / "cpu-inference.yaml")
    assert problems("swarm", [api]) == []
    assert (api.service, api.image, api.role) == ("api", "tensorflow_inference_api_cpu", API)
    assert api.command == ("python", "-m", "gateway")
    assert yaml.safe_load((SWARM / "cpu-inference.yaml").read_text())["version"].startswith("3")
    deploy = api.spec["deploy"]
    update = deploy["update_config"]
    assert (deploy["replicas"], update["parallelism"], update["delay"]) == (1, 2, "10s")
    assert deploy["restart_policy"]["condition"] == "on-failure"


OLD_COMMANDS = (  # of the earlier demo's README and of its document about swarm
    "sudo docker build -t tensorflow_inference_api_cpu -f docker/dockerfile .",
    "sudo docker build --build-arg http_proxy='' --build-arg https_proxy='' -t tensorflow_inference_api_cpu "
    "-f ./docker/dockerfile .",
    "docker swarm init",
    "docker swarm join-token worker",
    "docker stack deploy -c cpu-inference.yaml tensorflow-cpu",
    "docker service scale tensorflow-cpu_api=4",
    "docker node ls",
    "docker service ps tensorflow-cpu_api",
    "docker service ls",
)


@pytest.mark.parametrize("command", OLD_COMMANDS)
def test_the_document_has_every_command_of_the_earlier_one_word_for_word(command: str) -> None:
    lines = (ROOT / "docs" / "swarm-api.md").read_text("utf-8").splitlines()
    assert command in {line.partition(" #")[0].rstrip() for line in lines}
    for file in re.findall(r"docker/dockerfile", command):
        assert (ROOT / file).is_file()


def test_compose_knows_every_key_of_the_stack_of_the_models_api() -> None:
    read = json.loads(compose("config", "--format", "json", path=SWARM / "cpu-inference.yaml"))
    assert set(read["services"]) == {"api"}
    assert read["services"]["api"]["volumes"][0]["source"] == "/mnt/models"


@pytest.mark.parametrize("container", SERVERS)
def test_a_model_server_is_checked_by_the_state_of_its_model_and_reads_it_only(container: Container) -> None:
    assert isinstance(container.health, tuple)
    assert "AVAILABLE" in container.health[-1] and "/v1/models/%s" in container.health[-1]
    (volume,) = (each for each in container.spec["volumes"] if each["type"] == "volume")
    assert (volume["target"], volume["read_only"]) == ("/models/inception", True)


@pytest.mark.parametrize("container", SERVERS)
def test_tensorflow_gets_as_many_threads_as_the_server_has_cpus(container: Container) -> None:
    cpus = {"tf-serving-1cpu": 1, "tf-serving-8cpu": 8, "tf-serving-gpu": 4}[container.service]
    assert {f"--tensorflow_{kind}_op_parallelism={cpus}" for kind in ("intra", "inter")} < set(
        container.command
    )
    limits = container.spec.get("deploy", {}).get("resources", {}).get("limits", {"cpus": cpus})
    assert int(limits["cpus"]) == cpus
    if "cpuset" in container.spec:
        first, _, last = container.spec["cpuset"].partition("-")
        assert int(last or first) - int(first) + 1 == cpus


@pytest.mark.parametrize("way", WAYS)
def test_names_ports_and_the_model_agree(way: str) -> None:
    found = {each.service: each for each in WAYS[way]}
    web = found["image-resizer"]
    assert set(found) == {"image-resizer", "model", "tf-serving-1cpu", "tf-serving-8cpu", "tf-serving-gpu"}
    assert web.published == {30501: int(read_stages()[WEB].last("EXPOSE"))}
    servers = dict(entry.split(":", 1) for entry in web.environ["TF_SERVERS"].split(";"))
    assert servers == {
        "GPU": "tf-serving-gpu:8500?rest=8501",
        "1 CPU": "tf-serving-1cpu:8500?rest=8501",
        "8 CPU": "tf-serving-8cpu:8500?rest=8501",
    }
    assert {each.environ["MODEL_NAME"] for each in WAYS[way] if each.role != MODEL} == {"inception"}
    assert {each.mounts.get("/models/inception") for each in WAYS[way] if each.role != WEB} == {"model"}
    known = {row.key for row in rows()}
    assert {key for key in web.environ if key.startswith("PIXELCOST_")} <= known


def test_the_gpu_stands_in_the_page_only_with_its_profile() -> None:
    web = next(each for each in read_compose() if each.role == WEB)
    assert "GPU" not in web.environ["TF_SERVERS"]


def test_compose_starts_in_order_model_then_servers_then_page() -> None:
    found = {each.service: each.spec for each in WAYS["compose"]}
    for name in ("tf-serving-1cpu", "tf-serving-8cpu", "tf-serving-gpu"):
        assert found[name]["depends_on"]["model"]["condition"] == "service_completed_successfully"
        assert found["image-resizer"]["depends_on"][name]["condition"] == "service_healthy"
    assert not found["image-resizer"]["depends_on"]["tf-serving-gpu"]["required"]


def test_the_page_is_published_to_this_machine_alone_unless_told_otherwise() -> None:
    web = next(each for each in WAYS["compose"] if each.role == WEB)
    assert [port["host_ip"] for port in web.spec["ports"]] == ["127.0.0.1"]


def test_every_service_of_the_stack_can_go_back_restarts_and_has_limits() -> None:
    for each in WAYS["swarm"]:
        deploy = each.spec["deploy"]
        assert deploy["resources"]["limits"].keys() >= {"cpus", "memory"}
        assert deploy["restart_policy"]["condition"] == ("on-failure" if each.role == MODEL else "any")
        if each.role != MODEL:
            assert deploy["update_config"]["failure_action"] == "rollback"
        if each.role == SERVING:
            assert deploy["endpoint_mode"] == "dnsrr"
    by_name = {each.service: each.spec["deploy"] for each in WAYS["swarm"]}
    orders = {name: deploy.get("update_config", {}).get("order") for name, deploy in by_name.items()}
    assert orders == {
        "image-resizer": "stop-first",  # one SQLite file
        "model": None,
        "tf-serving-1cpu": "start-first",
        "tf-serving-8cpu": "start-first",
        "tf-serving-gpu": "stop-first",  # one GPU
    }
