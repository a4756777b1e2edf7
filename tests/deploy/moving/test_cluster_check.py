"""python -m tools.cluster_check, with stand-ins for the programs and the page, and real command lines."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.support.deploy.cluster_programs import HELM_3, HELM_4, HOW_TO_GET_THEM, KUBECTL, find
from tests.support.deploy.helm_render import ROOT, read_objects, render
from tests.support.processes.app_process import App
from tools import cluster_check
from tools.cluster_check import Target

PROGRAMS = ("docker", "kind", "kubectl", "helm")
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
case "$(basename "$0") $*" in
    *"$FAILS"*) echo "it is broken" >&2; exit 1 ;;
    *"get pods"*) echo pod/one; echo pod/two ;;
    *"get namespace $EXISTS "*) echo "namespace/$EXISTS" ;;
esac
"""
CELL = {"backend_name": "1 CPU", "count": 60, "failures": 0, "not_sent": 0, "peers": ["10.0.0.1", "10.0.0.2"]}


@dataclass
class Page:
    """Answers as the page does."""

    cell: dict[str, object] = field(default_factory=lambda: dict(CELL))
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                events = self.path.endswith("/events")
                report = {"state": "done", "cells": [page.cell]}
                body = b"event: measurement\n\n" * 12 if events else json.dumps(report).encode()
                self.answer(200, body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(202, b"{}")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Location", "/api/runs/1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.server.shutdown()
    made.server.server_close()


@dataclass
class Check:
    """What it said, and which commands it gave."""

    code: int
    out: str
    err: str
    calls: list[list[str]]

    def table(self) -> dict[str, str]:
        rows = [line.split(" | ") for line in self.out.splitlines() if line.startswith("| ")][2:]
        return {row[0].removeprefix("| "): row[1] for row in rows}


def check(folder: Path, *options: str, without: str = "", fails: str = "no call", exists: str = "-") -> Check:
    """The command, where only stand-ins are on the PATH. A call that holds the words of `fails` fails."""
    programs, log = folder / "programs", folder / "log"
    programs.mkdir()
    for name in PROGRAMS:
        if name != without:
            (programs / name).write_text(STAND_IN)
            (programs / name).chmod(0o755)
    for name in ("sh", "basename"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [sys.executable, "-m", "tools.cluster_check", *options],
        cwd=ROOT,
        env={"PATH": str(programs), "LOG": str(log), "FAILS": fails, "EXISTS": exists},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    lines = log.read_text().splitlines() if log.exists() else []
    return Check(done.returncode, done.stdout, done.stderr, [line.split(" ") for line in lines])


def elsewhere(page: Page) -> tuple[str, ...]:
    return ("--context=mine", f"--url={page.url}", "--load=docker load --input")


def test_what_holds_is_a_table_and_only_its_own_namespaces_are_removed(tmp_path: Path, page: Page) -> None:
    done = check(tmp_path, *elsewhere(page))
    assert done.code == 0, done.out + done.err
    assert len(done.table()) > 15 and set(done.table().values()) == {"held"}
    deleted = [call for call in done.calls if "delete" in call]
    removed = [call[call.index("namespace") + 1] for call in deleted if "namespace" in call]
    assert removed == ["pixelcost", "pixelcost-chart"]
    assert [call for call in deleted if "pod/one" in call]
    assert not [call for call in deleted if "pod/two" in call]
    assert not [call for call in done.calls if call[0] == "kind"]
    for call in done.calls:
        if call[0] in {"kubectl", "helm"}:
            assert {"--context=mine", "--kube-context=mine"} & set(call), call


def test_what_does_not_hold_ends_its_group_and_the_rest_is_still_tried(tmp_path: Path, page: Page) -> None:
    done = check(tmp_path, *elsewhere(page), fails="rollout restart")
    assert done.code == 1
    table = done.table()
    assert table["a roll-out ends"] == "DID NOT"
    assert table["the page answers after it"] == "not tried"
    assert table["helm uninstall leaves nothing"] == table["the namespace pixelcost is removed"] == "held"
    assert "it is broken" in done.out


def test_without_images_nothing_else_is_tried(tmp_path: Path, page: Page) -> None:
    done = check(tmp_path, *elsewhere(page), fails="docker build")
    assert done.code == 1
    assert not [call for call in done.calls if {"apply", "install", "delete"} & set(call)]


@pytest.mark.parametrize("without", PROGRAMS[:2])
def test_what_is_missing_is_named_with_where_to_get_it(tmp_path: Path, without: str) -> None:
    done = check(tmp_path, without=without)
    assert done.code == 2
    assert f"{without} is not on the PATH: https://" in done.err
    assert not [call for call in done.calls if {"build", "create", "apply", "delete"} & set(call)]


@pytest.mark.parametrize("cause", [{"exists": "pixelcost-chart"}, {"fails": "get namespace pixelcost "}])
def test_a_namespace_that_is_or_may_be_there_already_is_left_alone(
    tmp_path: Path, page: Page, cause: dict[str, str]
) -> None:
    done = check(tmp_path, *elsewhere(page), **cause)
    assert done.code == 2
    assert not [call for call in done.calls if {"build", "apply", "delete"} & set(call)]


def test_a_replica_that_does_not_answer_is_seen(page: Page) -> None:
    page.cell["peers"] = ["10.0.0.1"]
    with pytest.raises(cluster_check.DidNotHold, match="1 of 2 replicas"):
        cluster_check.sweep(page.url, replicas=2)


def test_requests_without_an_answer_count_only_while_nothing_is_killed(page: Page) -> None:
    page.cell["failures"] = 2
    with pytest.raises(cluster_check.DidNotHold, match="2 of 62"):
        cluster_check.sweep(page.url)
    assert cluster_check.sweep(page.url, during=lambda: None) == "60 answers, 2 without"


def test_its_run_is_one_that_the_page_takes(app: App) -> None:
    killed: list[bool] = []
    assert "answers" in cluster_check.sweep(app.url, during=lambda: killed.append(True))
    assert killed == [True]


def command_lines(tmp_path: Path) -> list[list[str]]:
    """Everything that is called, in a cluster of its own and in another."""
    targets = (Target(tmp_path), Target(tmp_path, "mine", "k3s ctr images import", "http://127.0.0.1:1"))
    groups = [group for target in targets for group in cluster_check.plan(target)]
    commands = [
        command for group in groups for step in (*group.steps, *group.undo) for command in step.commands
    ]
    during = ["get pods --selector=app=x --output=name", "delete pod/x --wait=false --grace-period=1"]
    return commands + [targets[0].kubectl(*shlex.split(each)) for each in during]


@pytest.mark.parametrize("name", [KUBECTL, HELM_3, HELM_4])
def test_every_option_is_one_of_the_real_program(name: str, tmp_path: Path) -> None:
    path = find(name) or pytest.skip(HOW_TO_GET_THEM)
    program = "kubectl" if name == KUBECTL else "helm"
    commands = [command for command in command_lines(tmp_path) if command[0] == program]
    assert commands
    known: dict[tuple[str, ...], set[str]] = {}
    for command in commands:
        words = [word for word in command[1:] if not word.startswith("--")]
        verb = tuple(words[: 2 if words[0] in {"rollout", "create"} else 1])
        if verb not in known:
            known[verb] = options_of(path, verb)
        given = {word.partition("=")[0] for word in command if word.startswith("--")}
        assert given <= known[verb], f"{verb}: {given - known[verb]}"


def options_of(path: str, verb: tuple[str, ...]) -> set[str]:
    clean = {"PATH": os.defpath, "HOME": "/nonexistent"}
    more = [["options"]] if path.endswith(KUBECTL) else []
    texts = [
        subprocess.run([path, *words], env=clean, capture_output=True, text=True, timeout=60, check=True)
        for words in ([*verb, "--help"], *more)
    ]
    return set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", "".join(each.stdout for each in texts), re.MULTILINE))


def test_what_it_applies_builds_and_leaves_out_what_few_machines_have(tmp_path: Path) -> None:
    kubectl = find(KUBECTL) or pytest.skip(HOW_TO_GET_THEM)
    cluster_check.files(Target(tmp_path))
    for folder, servers in (("mine", 1), ("scaled", 2)):
        text = subprocess.check_output([kubectl, "kustomize", str(tmp_path / folder)], text=True)
        replicas = {
            each["metadata"]["name"]: each["spec"]["replicas"]
            for each in read_objects(text)
            if each["kind"] == "Deployment"
        }
        assert replicas == {"image-resizer": 1, "tf-serving-1cpu": servers, "tf-serving-8cpu": 0}
    objects = render({"": yaml.safe_load((tmp_path / "values.yaml").read_text())})[""]
    assert not isinstance(objects, str), objects
    (ports,) = [
        port
        for node in yaml.safe_load((tmp_path / "kind.yaml").read_text())["nodes"]
        for port in node["extraPortMappings"]
    ]
    assert (ports["containerPort"], ports["listenAddress"]) == (30501, "127.0.0.1")
    images = {
        container["image"]
        for each in objects
        if each["kind"] == "Deployment"
        for container in (
            *each["spec"]["template"]["spec"].get("initContainers", ()),
            *each["spec"]["template"]["spec"]["containers"],
        )
    }
    assert {image for image in images if image.startswith("pixelcost-")} == set(Target(tmp_path).images)
