"""Queue serving in compose, in the swarm and on Kubernetes: the same parts, nothing open that need not be."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pytest
import yaml

from gateway.config import Settings
from jobs.commands import serve
from tests.deploy.mistakes import with_queue
from tests.deploy.policy.objects import Cluster, flags, main_container
from tests.support.deploy import manifests
from tests.support.deploy.deployments import compose_services, swarm_services
from tests.support.deploy.dockerfile import ROOT, read_stages

SWARM = ROOT / "deploy" / "swarm"
OWN = ("queue-worker", "queue-gateway")
Services = Mapping[str, Any]


def only_the_queue(services: Services) -> dict[str, Any]:
    return {name: spec for name, spec in services.items() if name.startswith("queue-")}


COMPOSE = only_the_queue(compose_services(ROOT / "compose.yaml", more=ROOT / "compose.queue.yaml"))
STACK = only_the_queue(swarm_services(SWARM / "pixelcost.yaml", SWARM / "queue.yaml"))
WAYS = pytest.mark.parametrize("services", [COMPOSE, STACK], ids=["compose", "swarm"])


def words(command: Sequence[str]) -> dict[str, str]:
    """The options `--name=value` of a command."""
    return flags({"args": [word for word in command if word.startswith("--")]})


def kubernetes() -> dict[str, dict[str, str]]:
    """The options of each part on Kubernetes."""
    cluster = Cluster(with_queue(manifests.read()))
    parts = {"queue": "queue-redis", "worker": "queue-worker", "gateway": "queue-gateway"}
    return {
        name: words(main_container(each)["args"])
        for part, name in parts.items()
        for each in cluster.workloads(part)
    }


@WAYS
def test_each_part_is_hardened_and_has_no_more_than_it_needs(services: Services) -> None:
    assert set(services) == {"queue-redis", *OWN}
    for name, spec in services.items():
        assert (spec["read_only"], spec["cap_drop"], spec["init"]) == (True, ["ALL"], True)
        assert spec["user"] == ("10001:10001" if name in OWN else "999:999")
        assert not spec["image"].endswith(":latest")


@WAYS
def test_the_parts_are_started_with_the_options_that_they_have_on_kubernetes(services: Services) -> None:
    here = {name: words(spec["command"]) for name, spec in services.items()}
    there = kubernetes()
    for options in (here, there):
        options["queue-redis"].pop("maxmemory")  # as large as the container
        options["queue-redis"].pop("dir", None)  # its image's own
    assert here == there


def test_the_options_are_those_of_the_commands() -> None:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    options = kubernetes()
    parser.parse_args([f"--{name}={value}" for name, value in options["queue-worker"].items()])
    assert options["queue-gateway"].keys() <= {field.name for field in fields(Settings)}
    assert {"8080", "4343", "10020"} == {
        port for name in ("jobs", "gateway") for port in read_stages()[name].last("EXPOSE").split()
    }


def test_compose_publishes_to_this_machine_alone_unless_told_otherwise() -> None:
    ports = {name: [port["host_ip"] for port in spec.get("ports", ())] for name, spec in COMPOSE.items()}
    assert ports == {
        "queue-redis": ["127.0.0.1"],
        "queue-worker": [],
        "queue-gateway": ["127.0.0.1", "127.0.0.1"],
    }


def test_the_swarm_publishes_the_gateway_and_never_redis_which_has_no_password() -> None:
    ports = {name: [port["published"] for port in spec.get("ports", ())] for name, spec in STACK.items()}
    assert ports == {"queue-redis": [], "queue-worker": [], "queue-gateway": [4343, 10020]}


def test_a_token_and_names_of_hosts_reach_the_gateway_as_they_reach_the_page() -> None:
    given = yaml.safe_load((ROOT / "compose.queue.yaml").read_text("utf-8"))["services"]["queue-gateway"]
    assert given["environment"]["PIXELCOST_TOKEN"] == "${PIXELCOST_TOKEN:-}"
    for services in (COMPOSE, STACK):
        assert services["queue-gateway"]["environment"]["PIXELCOST_ALLOWED_HOSTS"].startswith(
            "queue-gateway,"
        )
    files = [SWARM / name for name in ("pixelcost.yaml", "queue.yaml", "token.yaml", "queue-token.yaml")]
    with_token = swarm_services(*files)
    for name in ("image-resizer", "queue-gateway"):
        (secret,) = with_token[name]["secrets"]
        assert with_token[name]["environment"]["PIXELCOST_TOKEN_FILE"] == f"/run/secrets/{secret['target']}"


def test_redis_has_more_memory_than_its_own_limit() -> None:
    limits = STACK["queue-redis"]["deploy"]["resources"]["limits"]
    assert (words(STACK["queue-redis"]["command"])["maxmemory"], limits["memory"]) == ("1gb", "1536M")
    assert STACK["queue-redis"]["deploy"]["update_config"]["order"] == "stop-first"


@pytest.mark.parametrize("name", OWN)
def test_the_images_of_the_parts_are_stages_of_the_dockerfile(name: str) -> None:
    image = COMPOSE[name]["build"]["target"]
    assert COMPOSE[name]["image"] == STACK[name]["image"].replace("${REGISTRY:-}", "")
    assert COMPOSE[name]["image"].startswith(f"pixelcost-{image}:") and image in read_stages()


def test_kedas_object_names_the_stream_that_the_workers_read() -> None:
    (scaler,) = Cluster(with_queue(manifests.read())).of("ScaledObject")
    (trigger,) = scaler["spec"]["triggers"]
    assert trigger["metadata"] == {
        "address": "queue-redis:6379",
        "stream": "serving_stream",
        "streamLength": "5",
    }
    assert (
        yaml.safe_load((ROOT / "deploy/helm/pixelcost/values.yaml").read_text("utf-8"))["queue"]["stream"]
        == trigger["metadata"]["stream"]
    )
