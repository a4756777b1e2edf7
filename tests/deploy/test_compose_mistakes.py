"""Mistakes made on purpose in compose.yaml and the swarm stack; the rule meant for each finds it alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.deploy.container_rules import RULES, problems
from tests.support.deploy.deployments import compose_services, of_services, swarm_services
from tests.support.deploy.dockerfile import ROOT

Services = dict[str, Any]

SWARM = ROOT / "deploy" / "swarm"
RIGHT: dict[str, Services] = {
    "compose": compose_services(profiles="gpu"),
    "swarm": swarm_services(SWARM / "pixelcost.yaml", SWARM / "gpu.yaml", SWARM / "token.yaml"),
    "api": swarm_services(SWARM / "cpu-inference.yaml"),
}
WEB, SERVER, GPU = "image-resizer", "tf-serving-8cpu", "tf-serving-gpu"


def put(service: str, *path: str | int, value: Any) -> Callable[[Services], None]:
    """Set what is at this path of a service."""

    def change(services: Services) -> None:
        found = services[service]
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value

    return change


def drop(service: str, *path: str | int) -> Callable[[Services], None]:
    """Remove what is at this path of a service."""

    def change(services: Services) -> None:
        found = services[service]
        for key in path[:-1]:
            found = found[key]
        del found[path[-1]]

    return change


def wrong_health_port(service: str) -> Callable[[Services], None]:
    def change(services: Services) -> None:
        test = services[service]["healthcheck"]["test"]
        test[-1] = test[-1].replace("127.0.0.1/8501", "127.0.0.1/8500")

    return change


def no_driver(services: Services) -> None:
    test = services[GPU]["healthcheck"]["test"]
    test[-1] = "exec 3<>" + test[-1].partition("exec 3<>")[2]


MISTAKES: dict[str, tuple[str, Callable[[Services], None], str]] = {
    "privileged": ("compose", put(SERVER, "privileged", value=True), "keys"),
    "processes of the host": ("compose", put(WEB, "pid", value="host"), "keys"),
    "devices": ("swarm", put(SERVER, "devices", value=["/dev/kmsg"]), "keys"),
    "capabilities added": ("swarm", put(WEB, "cap_add", value=["SYS_ADMIN"]), "keys"),
    "no seccomp": ("compose", put(SERVER, "security_opt", value=["seccomp:unconfined"]), "hardened"),
    "root": ("swarm", put(WEB, "user", value="0:0"), "hardened"),
    "writable root": ("swarm", drop(GPU, "read_only"), "hardened"),
    "capabilities kept": ("compose", put(SERVER, "cap_drop", value=["NET_RAW"]), "hardened"),
    "latest": ("swarm", put(WEB, "image", value="pixelcost-web:latest"), "image"),
    "another program": ("compose", put(WEB, "entrypoint", value=["sh"]), "image"),
    "network of the host": ("compose", put("model", "network_mode", value="host"), "networks"),
    "runs nowhere": ("compose", put(WEB, "volumes", value=[]), "volumes"),
    "runs in memory": (
        "swarm",
        put(WEB, "volumes", 0, value={"type": "tmpfs", "target": "/data"}),
        "volumes scratch",
    ),
    "runs in a misspelt folder": ("swarm", put(WEB, "volumes", 0, "target", value="/dat"), "volumes"),
    "a folder of the host": ("compose", put(WEB, "volumes", 0, "type", value="bind"), "volumes"),
    "a writable model": ("compose", drop(SERVER, "volumes", 0, "read_only"), "volumes"),
    "a page without /tmp": ("compose", drop(WEB, "tmpfs"), "scratch"),
    "a server without /tmp": ("compose", drop(SERVER, "tmpfs"), "scratch"),
    "a stack's page without /tmp": ("swarm", drop(WEB, "volumes", 1), "scratch"),
    "a page whose /tmp has no end": ("compose", put(WEB, "tmpfs", value=["/tmp"]), "scratch"),
    "a stack's page whose /tmp has no end": ("swarm", drop(WEB, "volumes", 1, "tmpfs"), "scratch"),
    "open to the network": ("compose", put(WEB, "ports", 0, "host_ip", value="0.0.0.0"), "published"),
    "another port": ("swarm", put(WEB, "ports", 0, "target", value=30501), "published"),
    "never restarted": ("compose", put(SERVER, "restart", value="no"), "restarts"),
    "not restarted in a stack": (
        "swarm",
        put(SERVER, "deploy", "restart_policy", "condition", value="none"),
        "restarts",
    ),
    "health of gRPC": ("swarm", wrong_health_port(GPU), "health"),
    "health of gRPC in compose": ("compose", wrong_health_port(SERVER), "health"),
    "no health": ("compose", put(WEB, "healthcheck", value={"disable": True}), "health"),
    "misspelt setting": ("compose", put(WEB, "environment", "PIXELCOST_KEEP_RUN", value="5"), "settings"),
    "impossible setting": ("swarm", put(WEB, "environment", "PIXELCOST_KEEP_RUNS", value="many"), "settings"),
    "no way for a token": ("compose", drop(WEB, "environment", "PIXELCOST_TOKEN"), "token"),
    "readable token": ("swarm", put(WEB, "environment", "PIXELCOST_TOKEN", value="0" * 16), "token"),
    "token elsewhere": (
        "swarm",
        put(WEB, "environment", "PIXELCOST_TOKEN_FILE", value="/run/secrets/t"),
        "token",
    ),
    "token without its file": ("swarm", drop(WEB, "environment", "PIXELCOST_TOKEN_FILE"), "token"),
    "token of root": ("swarm", put(WEB, "secrets", 0, "uid", value="0"), "token"),
    "token for all": ("swarm", put(WEB, "secrets", 0, "mode", value=0o444), "token"),
    "shared cores": ("compose", put(SERVER, "cpuset", value="0-7"), "cores"),
    "the page on a server's cores": ("compose", put(WEB, "cpuset", value="0-1"), "cores"),
    "the page on any cores": ("compose", drop(WEB, "cpuset"), "cores"),
    "all memory": ("compose", drop(SERVER, "mem_limit"), "resources"),
    "all processes": ("compose", drop(WEB, "pids_limit"), "resources"),
    "more memory than a node has": (
        "swarm",
        put(SERVER, "deploy", "resources", "reservations", "memory", value="2T"),
        "resources",
    ),
    "killed at once": ("swarm", put(SERVER, "stop_grace_period", value="0s"), "ends"),
    "a page killed while it ends": ("swarm", drop(WEB, "stop_grace_period"), "ends"),
    "a minute for nothing": ("compose", put(SERVER, "stop_grace_period", value="10m0s"), "ends"),
    "replaced while it loads": ("compose", put(SERVER, "healthcheck", "start_period", value="1s"), "loading"),
    "a GPU that need not be there": ("swarm", no_driver, "health"),
    "any cores": ("compose", drop(SERVER, "cpuset"), "cores"),
    "a tenth of a CPU": (
        "swarm",
        put(SERVER, "deploy", "resources", "reservations", "cpus", value="0.1"),
        "resources",
    ),
    "no GPU": ("compose", drop(GPU, "deploy"), "resources cores"),
    "a misspelt GPU": (
        "swarm",
        put(
            *(GPU, "deploy", "resources", "reservations", "generic_resources", 0),
            *("discrete_resource_spec", "kind"),
            value="gup",
        ),
        "resources",
    ),
    "model on one node": ("swarm", put("model", "deploy", "mode", value="replicated"), "spread"),
    "three writers": ("swarm", put(WEB, "deploy", "replicas", value=3), "spread"),
    "two writers for a moment": (
        "swarm",
        put(WEB, "deploy", "update_config", "order", value="start-first"),
        "spread",
    ),
    "runs on any node": (
        "swarm",
        put(WEB, "deploy", "placement", "constraints", value=["node.labels.pixelcost.dta == true"]),
        "spread",
    ),
    "models that may be written": ("api", put("api", "volumes", 0, "read_only", value=False), "volumes"),
    "models elsewhere": ("api", put("api", "volumes", 0, "target", value="/model"), "volumes"),
    "no place for conversions": ("api", drop("api", "volumes", 1), "volumes"),
    "an API without limits": ("api", drop("api", "deploy", "resources", "limits", "memory"), "resources"),
    "an API that counts as up while it converts": (
        "api",
        put("api", "healthcheck", "test", 3, value="pass"),
        "health",
    ),
    "an update of the API that stays": (
        "api",
        put("api", "deploy", "update_config", "failure_action", value="pause"),
        "spread",
    ),
    "an API at another port": ("api", put("api", "ports", 0, "published", value=4344), "published"),
    "an API of root": ("api", put("api", "user", value="0:0"), "hardened"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_by_the_rule_meant_for_it(name: str) -> None:
    way, make, rules = MISTAKES[name]
    services = copy.deepcopy(RIGHT[way])
    make(services)
    assert services != RIGHT[way]
    assert {rule for rule, *_ in problems("swarm" if way == "api" else way, of_services(services))} == set(
        rules.split()
    )


def test_every_rule_finds_a_mistake_of_its_own() -> None:
    assert {rules.split()[0] for _, _, rules in MISTAKES.values()} == RULES.keys()


def test_the_documents_name_the_node_and_the_resource_that_the_stack_asks_for() -> None:
    text = (ROOT / "docs" / "swarm.md").read_text("utf-8")
    assert "--label-add pixelcost.data=true" in text and '"node-generic-resources": ["gpu=' in text


def test_the_document_says_how_many_mistakes_there_are() -> None:
    assert f"{len(MISTAKES)} deliberate mistakes" in (ROOT / "docs" / "compose.md").read_text("utf-8")
