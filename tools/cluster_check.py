"""make cluster-check: installs Pixelcost in a cluster by manifests and by the chart, and says what held.

Makes a cluster of its own with kind, and removes it. With --context it uses a cluster that you have, and only
two namespaces of its own there. --plan prints the commands and runs nothing. Exit code: 0 all held,
1 something did not, 2 it could not start. docs/kubernetes.md is the guide.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "static" / "samples" / "cat.png"
CLUSTER = "pixelcost-check"
NAMESPACE, CHART_NAMESPACE = "pixelcost", "pixelcost-chart"  # the first is that of k8s/
NODE_PORT = 30501
SERVER, SERVER_NAME = "tf-serving-1cpu", "1 CPU"
PLAN = '{"sizes_px": [256, 128], "formats": ["jpeg"], "repeats": 20, "warmups": 1, "timeout_s": 30}'
KILL_AFTER = 10  # measurements
LEAST_CPUS = 6  # the page 2, two servers 1 each, one more while a pod is replaced, the system
WHERE = {
    "docker": "https://docs.docker.com/engine/install/",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
}
TARGETS = ("web", "model")  # of the Dockerfile
MEASURING_S = 180
Command = list[str]


class DidNotHold(Exception):
    """What was expected, and what came instead."""


@dataclass(frozen=True)
class Target:
    """Which cluster, and how its images and its page are reached."""

    folder: Path  # for files of this check
    context: str = ""  # empty: a cluster of our own
    load: str = ""  # with a context: a command that takes an archive of images; empty: its nodes have them
    url: str = ""
    host_port: int = NODE_PORT  # of this machine, before the node's port of our own cluster

    @property
    def version(self) -> str:
        """Of the images."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        return str(project["version"])

    @property
    def images(self) -> list[str]:
        """What is built."""
        return [f"pixelcost-{name}:{self.version}" for name in TARGETS]

    def kubectl(self, *arguments: str) -> Command:
        """Never the current context: always the one that was asked for."""
        where = f"--context={self.context}" if self.context else f"--kubeconfig={self.folder / 'kubeconfig'}"
        return ["kubectl", where, *arguments]

    def helm(self, *arguments: str) -> Command:
        """The same for Helm."""
        kubeconfig = f"--kubeconfig={self.folder / 'kubeconfig'}"
        where = f"--kube-context={self.context}" if self.context else kubeconfig
        return ["helm", *arguments, where, f"--namespace={CHART_NAMESPACE}"]


@dataclass(frozen=True)
class Step:
    """What is tried, for at most `timeout_s`. `check` runs after the commands, and raises `DidNotHold`."""

    what: str
    commands: Sequence[Command] = ()
    timeout_s: float = 120
    check: Callable[[], str] | None = None  # returns what it saw


@dataclass(frozen=True)
class Group:
    """Steps that need each other: the first that does not hold ends them. `undo` runs in any case."""

    steps: Sequence[Step]
    undo: Sequence[Step] = ()


@dataclass
class Table:
    """What held."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, held: str, seconds: float | None, said: str) -> None:
        """One row, printed at once: a cluster takes minutes."""
        took = "" if seconds is None else f"{seconds:.0f} s"
        self.rows.append((what, held, took, said))
        print(f"{held:<9} {took:>6}  {what}{': ' if said else ''}{said}", flush=True)

    @property
    def all_held(self) -> bool:
        """Whether nothing was refuted or left out."""
        return all(held == "held" for _, held, _, _ in self.rows)

    def __str__(self) -> str:
        lines = ["| step | result | took | seen |", "| --- | --- | --- | --- |"]
        return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in self.rows)])


def files(target: Target) -> None:
    """The kustomizations, the chart's values and kind's configuration."""
    up = os.path.relpath(ROOT, target.folder.resolve() / "mine")
    for name, servers in (("mine", 1), ("scaled", 2)):
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{up}/k8s"],
            "components": [f"{up}/deploy/kustomize/components/no-gpu"],
            "images": [
                {"name": image.partition(":")[0], "newTag": target.version} for image in target.images
            ],
            # Eight free cores are more than most machines have for a trial.
            "replicas": [{"name": "tf-serving-8cpu", "count": 0}, {"name": SERVER, "count": servers}],
        }
        _write(target.folder / name / "kustomization.yaml", kustomization)
    server = {"name": SERVER_NAME, "service": SERVER, "device": "cpu", "cpu": 1, "memory": "2Gi"}
    _write(target.folder / "values.yaml", {"backends": [server]})
    port = {"containerPort": NODE_PORT, "hostPort": target.host_port, "listenAddress": "127.0.0.1"}
    nodes = [{"role": "control-plane", "extraPortMappings": [port]}]
    kind = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}
    _write(target.folder / "kind.yaml", kind)


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")


def plan(target: Target) -> Iterator[Group]:
    """Everything that is done, in order."""
    yield Group(list(_cluster(target)))
    yield Group(list(_by_manifests(target)), [_without(target, NAMESPACE)])
    yield Group(list(_by_chart(target)), [_without(target, CHART_NAMESPACE)])


def _cluster(target: Target) -> Iterator[Step]:
    builds = [
        ["docker", "build", f"--target={name}", f"--tag={image}", str(ROOT)]
        for name, image in zip(TARGETS, target.images, strict=True)
    ]
    yield Step("the images are built", builds, 1800)
    if not target.context:
        create = ["kind", "create", "cluster", f"--name={CLUSTER}", f"--config={target.folder / 'kind.yaml'}"]
        kubeconfig = [f"--kubeconfig={target.folder / 'kubeconfig'}", "--wait=120s"]
        yield Step("a cluster starts", [[*create, *kubeconfig]], 600)
        load = ["kind", "load", "docker-image", *target.images, f"--name={CLUSTER}"]
        yield Step("its nodes have the images", [load], 600)
    elif target.load:
        archive = str(target.folder / "images.tar")
        save = ["docker", "save", f"--output={archive}", *target.images]
        yield Step("its nodes have the images", [save, [*shlex.split(target.load), archive]], 600)


def _by_manifests(target: Target) -> Iterator[Step]:
    def kubectl(*arguments: str) -> Command:
        return target.kubectl(f"--namespace={NAMESPACE}", *arguments)

    def rolled_out(*names: str) -> list[Command]:
        return [kubectl("rollout", "status", f"deployment/{name}", "--timeout=600s") for name in names]

    def kill_one() -> None:
        first, *_ = run(kubectl("get", "pods", f"--selector=app={SERVER}", "--output=name"), 60).split()
        run(kubectl("delete", first, "--wait=false", "--grace-period=1"), 60)

    applied = [target.kubectl("apply", f"--kustomize={target.folder / 'mine'}")]
    yield Step("kubectl apply -k: all pods become ready", applied + rolled_out(SERVER, "image-resizer"), 1300)
    yield Step("the page answers at the node's port", timeout_s=120, check=lambda: wait_for_page(target.url))
    yield Step("a run is measured", timeout_s=300, check=lambda: sweep(target.url))
    scaled = [target.kubectl("apply", f"--kustomize={target.folder / 'scaled'}"), *rolled_out(SERVER)]
    yield Step("a second replica becomes ready", scaled, 700)
    yield Step("both replicas answer", timeout_s=300, check=lambda: sweep(target.url, replicas=2))
    yield Step(
        "a run ends though a server's pod is deleted in the middle of it",
        timeout_s=420,
        check=lambda: sweep(target.url, during=kill_one),
    )
    yield Step("a new pod takes its place", rolled_out(SERVER), 700)
    restart = [kubectl("rollout", "restart", f"deployment/{SERVER}", "deployment/image-resizer")]
    yield Step("a roll-out ends", restart + rolled_out(SERVER, "image-resizer"), 1300)
    yield Step(
        "the page answers after it",
        timeout_s=300,
        check=lambda: wait_for_page(target.url) + sweep(target.url),
    )


def _by_chart(target: Target) -> Iterator[Step]:
    chart = str(ROOT / "deploy" / "helm" / "pixelcost")
    values = f"--values={target.folder / 'values.yaml'}"
    label = f"namespace/{CHART_NAMESPACE}", "pod-security.kubernetes.io/enforce=restricted"
    prepare = [target.kubectl("create", "namespace", CHART_NAMESPACE), target.kubectl("label", *label)]
    wait = ("--wait", "--timeout=15m")
    install = target.helm("install", "pixelcost", chart, values, *wait)
    yield Step("helm install: all pods become ready", [*prepare, install], 1000)
    yield Step("helm test passes", [target.helm("test", "pixelcost", "--timeout=6m")], 400)
    yield Step(
        "a run is measured with it",
        timeout_s=300,
        check=lambda: wait_for_page(target.url) + sweep(target.url),
    )
    upgrade = target.helm("upgrade", "pixelcost", chart, values, "--set=model.pollSeconds=11", *wait)
    yield Step("helm upgrade ends", [upgrade], 1000)
    yield Step("helm rollback ends", [target.helm("rollback", "pixelcost", "1", *wait)], 1000)
    yield Step("a run is measured after it", timeout_s=300, check=lambda: sweep(target.url))
    left = target.kubectl(
        f"--namespace={CHART_NAMESPACE}",
        *("get", "deployments,services,networkpolicies,persistentvolumeclaims", "--output=name"),
    )
    uninstall = target.helm("uninstall", "pixelcost", "--wait", "--timeout=5m")
    yield Step("helm uninstall leaves nothing", [uninstall], 400, lambda: nothing(run(left, 60)))


def _without(target: Target, namespace: str) -> Step:
    deleted = target.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=300s")
    return Step(f"the namespace {namespace} is removed", [deleted], 330)


def run(command: Command, timeout_s: float) -> str:
    """Its output. Raises `DidNotHold` with the last line that it wrote if it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=max(timeout_s, 1),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DidNotHold(f"`{shlex.join(command[:4])} …` took longer than its time") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise DidNotHold(f"`{shlex.join(command[:4])} …` ended with {done.returncode}: {lines[-1]}")
    return done.stdout


def nothing(said: str) -> str:
    """Raises `DidNotHold` unless nothing is left."""
    if said.strip():
        raise DidNotHold("left: " + ", ".join(said.split()))
    return ""


def wait_for_page(url: str, timeout_s: float = 100) -> str:
    """Until a backend answers the page."""
    deadline = time.monotonic() + timeout_s
    said = "no answer"
    while time.monotonic() < deadline:
        with suppress(requests.RequestException):
            answer = requests.get(f"{url}/readyz", timeout=5)
            if answer.ok:
                return ""
            said = f"HTTP {answer.status_code}"
        time.sleep(1)
    raise DidNotHold(f"{url}/readyz: {said}")


def sweep(url: str, replicas: int = 1, during: Callable[[], object] | None = None) -> str:
    """A run over HTTP, with `during` in the middle of it. Its server's figures, or `DidNotHold`."""
    try:
        report = _report(url, during)
    except requests.RequestException as error:
        raise DidNotHold(f"{url}: {error}") from error
    cells = [each for each in report["cells"] if each["backend_name"] == SERVER_NAME]
    answered = sum(each["count"] for each in cells)
    unanswered = sum(each["failures"] + each["not_sent"] for each in cells)
    peers = {peer for each in cells for peer in each.get("peers", ())}
    if report["state"] != "done" or not answered:
        raise DidNotHold(f"the run is {report['state']} with {answered} answers")
    if during is None and unanswered:
        raise DidNotHold(f"{unanswered} of {answered + unanswered} requests were not answered")
    if replicas > 1 and len(peers) < replicas:
        raise DidNotHold(f"{max(len(peers), 1)} of {replicas} replicas answered")
    return f"{answered} answers, {unanswered} without"


def _report(url: str, during: Callable[[], object] | None) -> dict[str, Any]:
    with PHOTO.open("rb") as photo:
        posted = requests.post(f"{url}/api/runs", files={"file": photo}, data={"plan": PLAN}, timeout=60)
    if posted.status_code != 202:
        raise DidNotHold(f"the run was refused: {posted.text[:200]}")
    run_url = url + posted.headers["Location"]
    count, deadline = 0, time.monotonic() + MEASURING_S
    with requests.get(f"{run_url}/events", stream=True, timeout=60) as stream:
        for line in stream.iter_lines():
            count += line == b"event: measurement"
            if time.monotonic() > deadline:
                raise DidNotHold(f"the run was not over after {MEASURING_S} s and {count} measurements")
            if during and count == KILL_AFTER:
                during()
                during = None
    if during:
        raise DidNotHold(f"the run ended after {count} measurements, too soon for the test")
    report: dict[str, Any] = requests.get(run_url, timeout=60).json()
    return report


def missing(target: Target) -> Iterator[str]:
    """What has to be there before anything is done, and is not."""
    programs = ["docker", "kubectl", "helm"] if target.context else list(WHERE)
    absent = [name for name in programs if not shutil.which(name)]
    yield from (f"{name} is not on the PATH: {WHERE[name]}" for name in absent)
    if "docker" not in absent:
        yield from _refusal(["docker", "info", "--format={{.ServerVersion}}"], "Docker does not run here")
    if target.context and "kubectl" not in absent:
        yield from _refusal(target.kubectl("version", "--output=json"), f"{target.context} does not answer")
        for name in (NAMESPACE, CHART_NAMESPACE):
            yield from _in_use(target, name)
    elif not target.context and "kind" not in absent:
        with suppress(DidNotHold):
            if CLUSTER in run(["kind", "get", "clusters"], 30).split():
                yield f"a cluster {CLUSTER} exists already: kind delete cluster --name {CLUSTER}"
        if (os.cpu_count() or 1) < LEAST_CPUS:
            yield f"the cluster needs {LEAST_CPUS} CPUs; this machine has {os.cpu_count()}: use --context"


def _in_use(target: Target, namespace: str) -> Iterator[str]:
    try:
        found = run(target.kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=name"), 30)
    except DidNotHold as error:
        yield str(error)
    else:
        if found:
            yield f"{target.context} has a namespace {namespace} already, which this check would delete"


def _refusal(command: Command, what: str) -> Iterator[str]:
    try:
        run(command, 30)
    except DidNotHold as error:
        yield f"{what}: {error}"


def carry_out(groups: Sequence[Group], table: Table) -> None:
    """Every group until a step of it does not hold; later ones only if the cluster itself is there."""
    for number, group in enumerate(groups):
        try:
            held = _steps(group.steps, table)
        finally:
            for step in group.undo:
                _try(step, table)
        if not held and number == 0:
            for later in (step for each in groups[1:] for step in each.steps):
                table.add(later.what, "not tried", None, "")
            return


def _steps(steps: Sequence[Step], table: Table) -> bool:
    held = True
    for step in steps:
        if held:
            held = _try(step, table)
        else:
            table.add(step.what, "not tried", None, "")
    return held


def _try(step: Step, table: Table) -> bool:
    started = time.monotonic()
    try:
        for command in step.commands:
            run(command, step.timeout_s - (time.monotonic() - started))
        said = step.check() if step.check else ""
    except (DidNotHold, OSError) as error:
        table.add(step.what, "DID NOT", time.monotonic() - started, str(error).replace("|", "/"))
        return False
    table.add(step.what, "held", time.monotonic() - started, said)
    return True


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.cluster_check", description=__doc__)
    parser.add_argument("--context", default="", help="a cluster that you have, instead of one by kind")
    parser.add_argument(
        "--load", default="", metavar="COMMAND", help='brings images there: "sudo k3s ctr images import"'
    )
    parser.add_argument("--url", default="", help="the page there: http://<any node>:30501")
    parser.add_argument("--plan", action="store_true", help="print the commands and run nothing")
    asked = parser.parse_args(arguments)
    if bool(asked.context) != bool(asked.url) or (asked.load and not asked.context):
        parser.error("--context and --url go together, and --load with them")
    return asked


def main(arguments: Sequence[str] | None = None) -> int:
    """0 all held, 1 something did not, 2 it could not start."""
    asked = _asked(arguments)
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cluster-check-", dir=ROOT / "var") as folder:
        port = _free_port()
        url = asked.url.rstrip("/") or f"http://127.0.0.1:{port}"
        target = Target(Path(folder), asked.context, asked.load, url, port)
        groups = list(plan(target))
        if asked.plan:
            steps = [step for group in groups for step in (*group.steps, *group.undo)]
            for step in steps:
                print(f"# {step.what} (at most {step.timeout_s:.0f} s)")
                print("".join(f"{shlex.join(command)}\n" for command in step.commands), end="")
            return 0
        if problems := list(missing(target)):
            print("\n".join(problems), file=sys.stderr)
            return 2
        files(target)
        table = Table()
        try:
            carry_out(groups, table)
        finally:
            if not target.context:
                delete = ["kind", "delete", "cluster", f"--name={CLUSTER}"]
                _try(Step("the cluster is removed", [[*delete, f"--kubeconfig={folder}/kubeconfig"]]), table)
            print(f"\n{table}")
    return 0 if table.all_held else 1


if __name__ == "__main__":
    sys.exit(main())
