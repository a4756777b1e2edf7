"""Scaling: the programs that are called, with which words, and that the service ends as it began."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from experiment.records import BackendInfo
from loadtest.errors import LoadRefused
from loadtest.replicas import embedded, scaling
from loadtest.replicas.embedded import check_memory
from loadtest.replicas.scaling import AsItIs, service_of, what_to_type
from tests.support.scripted_server import always, good_answer, grpc_server

# Both keep their number of replicas in a file, and are ready when they were asked for it once before.
DOCKER = """
echo "docker $*" >> "$0.calls"
case "$*" in
  "service inspect --format {{.Spec.Mode.Replicated.Replicas}} api") cat "$0.count" ;;
  "service scale api="*) echo "${3#api=}" > "$0.count"; rm -f "$0.asked" ;;
  "service ps api --filter desired-state=running --format {{.CurrentState}}")
    state=Starting; [ -f "$0.asked" ] && state=Running; touch "$0.asked"
    i=0; while [ $i -lt "$(cat "$0.count")" ]; do echo "$state 3 seconds ago"; i=$((i+1)); done ;;
  *) echo "no such service" >&2; exit 1 ;;
esac
"""
KUBECTL = """
echo "kubectl $*" >> "$0.calls"
case "$*" in
  "get deployment/api -o jsonpath={.spec.replicas}") cat "$0.count" ;;
  "scale deployment/api --replicas="*) echo "${3#--replicas=}" > "$0.count"; rm -f "$0.asked" ;;
  "get deployment/api -o jsonpath={.status.readyReplicas} {.status.replicas}")
    [ -f "$0.asked" ] && echo "$(cat "$0.count") $(cat "$0.count")" || echo " $(cat "$0.count")"
    touch "$0.asked" ;;
  *) echo "not found" >&2; exit 1 ;;
esac
"""


def install(folder: Path, monkeypatch, **programs: str) -> dict[str, Path]:
    """These programs, and no other docker or kubectl, on PATH. Returns the files with their calls."""
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
        (folder / f"{name}.count").write_text("3\n")
        (folder / f"{name}.calls").touch()
    for tool in ("cat", "rm", "touch"):
        (folder / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(scaling, "LOOK_AGAIN_S", 0.01)
    return {name: folder / f"{name}.calls" for name in programs}


@pytest.fixture
def server():
    with grpc_server(always(good_answer())) as address:
        yield BackendInfo("api", address=address)


@pytest.mark.parametrize(
    ("program", "text", "scales"),
    [
        ("docker", DOCKER, ["docker service scale api=2", "docker service scale api=3"]),
        (
            *("kubectl", KUBECTL),
            ["kubectl scale deployment/api --replicas=2", "kubectl scale deployment/api --replicas=3"],
        ),
    ],
)
def test_a_service_is_scaled_awaited_and_put_back(program, text, scales, tmp_path, monkeypatch, server):
    calls = install(tmp_path, monkeypatch, **{program: text})[program]
    with service_of(server, "api") as service:
        info = service.scaled(2, 1, 5)
        assert (tmp_path / f"{program}.asked").exists()
        again = service.scaled(2, 1, 5)
        assert (tmp_path / f"{program}.count").read_text().strip() == "2"
    called = calls.read_text().splitlines()
    assert [call for call in called if " scale " in call] == scales
    assert (tmp_path / f"{program}.count").read_text().strip() == "3"
    # A connection for each request: a service spreads connections, not requests.
    assert info.address == again.address == ",".join([server.address] * 5)
    assert info.replicas == 2


def test_a_service_is_put_back_also_if_the_load_breaks_off(tmp_path, monkeypatch, server):
    install(tmp_path, monkeypatch, docker=DOCKER)
    with pytest.raises(KeyboardInterrupt), service_of(server, "api") as service:
        service.scaled(8, 1, 1)
        raise KeyboardInterrupt
    assert (tmp_path / "docker.count").read_text().strip() == "3"


def test_a_service_that_docker_does_not_know_is_looked_for_in_kubernetes(tmp_path, monkeypatch, server):
    calls = install(tmp_path, monkeypatch, docker="exit 1", kubectl=KUBECTL)
    assert service_of(server, "api") is not None
    assert calls["kubectl"].read_text()
    assert service_of(server, "other") is None


def test_without_docker_and_kubectl_there_is_no_service(tmp_path, monkeypatch, server):
    install(tmp_path, monkeypatch)
    assert service_of(server, "api") is None


def test_a_name_that_could_be_an_option_is_refused_before_a_program_is_called(tmp_path, monkeypatch, server):
    calls = install(tmp_path, monkeypatch, docker=DOCKER)["docker"]
    with pytest.raises(LoadRefused, match="--service --help is not the name of a service"):
        service_of(server, "--help")
    assert calls.read_text() == ""


def test_it_says_what_to_type():
    assert what_to_type("api", 4) == (
        "`docker service scale api=4` (Docker swarm) or `kubectl scale deployment/api --replicas=4` "
        "(Kubernetes)"
    )


def test_a_program_that_refuses_to_scale_is_quoted(tmp_path, monkeypatch, server):
    refusing = DOCKER.replace('echo "${3#api=}" > "$0.count"', 'echo "no resources" >&2; exit 1')
    install(tmp_path, monkeypatch, docker=refusing)
    service = service_of(server, "api")
    with pytest.raises(LoadRefused, match=r"`docker service scale api=4` failed: no resources"):
        service.scaled(4, 1, 1)


def test_replicas_that_never_become_ready_are_given_up(tmp_path, monkeypatch, server):
    install(tmp_path, monkeypatch, docker=DOCKER.replace("state=Running", "state=Preparing"))
    monkeypatch.setattr(scaling, "READY_S", 0.05)
    service = service_of(server, "api")
    with pytest.raises(LoadRefused, match=r"api has not 2 ready replicas .* says: Preparing 3 seconds ago"):
        service.scaled(2, 1, 1)


def test_hosts_are_the_first_of_the_addresses():
    hosts = AsItIs(BackendInfo("hosts", address="a:8500,b:8500,c:8500"))
    with ExitStack() as stack:
        stack.enter_context(hosts)
        assert hosts.scaled(None, 1, 20).address == "a:8500"
        assert hosts.scaled(None, 2, 20).address == "a:8500,b:8500"


def test_more_replicas_than_memory_are_refused_with_how_many_are_possible(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal:  8000000 kB\nMemFree: 1 kB\nMemAvailable:  4000000 kB\n")
    monkeypatch.setattr(embedded, "MEMINFO", tmp_path / "meminfo")
    check_memory(300_000_000, running=1, most=11)
    with pytest.raises(LoadRefused) as refused:
        check_memory(300_000_000, running=1, most=20)
    assert refused.value.message == (
        "20 replicas need about 6,000 MB of memory, 300 MB each, and 4,096 MB are free: enough for 11. "
        "Choose fewer with --replicas."
    )
