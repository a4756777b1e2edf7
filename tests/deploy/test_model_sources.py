"""Where a cluster's servers have their model from: the chart's `model.source`, the component, the CronJob.

The commands of what is rendered are run, with the variables and files that their pod would give them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.policy import problems
from tests.deploy.policy.objects import Cluster, Object, main_container, pod_of
from tests.deploy.policy.traffic import rules_of
from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, find
from tests.support.deploy.helm_render import render
from tests.support.models.stores import SAVED_MODEL, google, packed, registry, web

ROOT = Path(__file__).resolve().parents[2]
CPU = {"name": "4 CPU", "service": "tf-serving-4cpu", "device": "cpu", "cpu": 4, "memory": "4Gi"}
CRON_JOB = ROOT / "deploy" / "examples" / "next-version.yaml"


def remote(source: str, url: str, **more: Any) -> dict[str, Any]:
    """Values whose model comes from a store."""
    own = {key: more.pop(key) for key in ("versions", "labels") if key in more}
    return {"backends": [CPU], "model": {"source": source, "remote": {"url": url, **more}, **own}}


GOOD = {
    "minio": remote(
        "s3",
        "s3://my-models/inception",
        secret="credentials",
        endpoint="http://minio.storage:9000",
        port=9000,
        to=[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}}],
        versions=[3, 4],
        labels={"stable": 3},
    ),
    "public": remote("s3", "s3://my-models/inception", anonymous=True),
    "gcs": remote("gcs", "gs://my-models/inception", secret="credentials", sha256="ab" * 32),
}
LOCAL = ("local http", "local gcs", "local oci")
BAD = {
    "a password in the address": (remote("http", "https://user:word@models.example/m.tar"), "url"),
    "another store's address": (remote("s3", "gs://my-models/x", secret="x"), "begins with s3://"),
    "a bucket without credentials": (remote("s3", "s3://my-models/x"), "secret.*or anonymous"),
    "a secret in a variable": (
        remote("s3", "s3://my-models/x", secret="x", env={"AWS_SECRET_ACCESS_KEY": "y"}),
        "env|AWS_SECRET",
    ),
    "an address that is not used": (
        {"model": {"source": "image", "remote": {"url": "s3://my-models/x"}}},
        "is not used",
    ),
    "a digest twice": (remote("oci", "oci://r.example/m:1", sha256="ab" * 32), "part of the address"),
}


@pytest.fixture(scope="module")
def rendered(stores: dict[str, str]) -> dict[str, Any]:
    local = {
        "local http": remote("http", f"{stores['http']}m.tar", secret="credentials"),
        "local gcs": remote("gcs", "gs://models/m.tar", anonymous=True, endpoint=stores["gcs"]),
        "local oci": remote("oci", stores["oci"], secret="credentials"),
    }
    return render({**GOOD, **local, **{name: values for name, (values, _) in BAD.items()}})


@pytest.fixture(scope="module")
def stores() -> Any:
    """Where a web server that wants a token, Google's store, and a registry that wants a password are."""
    archive = packed({f"4/{name}": data for name, data in SAVED_MODEL.items()})
    with (
        web({"m.tar": archive}, token="Bearer right") as http,
        google({"m.tar": archive}) as gcs,
        registry(password="hunter2") as images,
    ):
        pinned = images.add("1", ("m.tar", archive))
        yield {"http": http, "gcs": gcs, "oci": f"oci://{images.host}/team/model@{pinned}"}


@pytest.mark.parametrize("name", [*GOOD, *LOCAL])
def test_a_model_from_a_store_breaks_no_rule(rendered: dict[str, Any], name: str) -> None:
    assert not isinstance(rendered[name], str), rendered[name]
    assert problems(rendered[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_values_that_contradict_each_other_are_refused_with_the_reason(rendered, name: str) -> None:
    assert isinstance(rendered[name], str)
    assert re.search(BAD[name][1], rendered[name]), rendered[name]


def test_every_version_that_is_served_is_fetched_and_only_the_stores_port_is_opened(rendered) -> None:
    cluster = Cluster(rendered["minio"])
    (server,) = cluster.workloads("serving")
    assert [each for each in fetcher(server)["command"] if each.startswith("--version")] == [
        "--version=3",
        "--version=4",
    ]
    names, store = rules_of(cluster, server, "egress")
    assert {port["port"] for port in names["ports"]} == {53}
    assert store["ports"] == [{"port": 9000, "protocol": "TCP"}]
    assert store["to"] == GOOD["minio"]["model"]["remote"]["to"]


def test_the_server_itself_can_not_write_the_model_and_has_no_credentials(rendered) -> None:
    for name in (*GOOD, *LOCAL):
        (server,) = Cluster(rendered[name]).workloads("serving")
        mounts = {each["name"]: each for each in main_container(server)["volumeMounts"]}
        assert mounts["model"]["readOnly"]
        assert "model-secret" not in mounts and "env" not in main_container(server)


@pytest.mark.parametrize("name", LOCAL)
def test_the_command_of_the_init_container_fetches_the_model(rendered, name: str, tmp_path: Path) -> None:
    (server,) = Cluster(rendered[name]).workloads("serving")
    secret = {
        "authorization": "Bearer right",
        ".dockerconfigjson": docker_login(re.findall(r"oci://([^/]+)", str(server)), "hunter2"),
    }
    done = run_container(fetcher(server), pod_of(server)["spec"]["volumes"], {}, secret, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "volume" / "4" / "saved_model.pb").read_bytes() == SAVED_MODEL["saved_model.pb"]


def fetcher(server: Object) -> Object:
    """The init container that fetches."""
    found: Object = pod_of(server)["spec"]["initContainers"][0]
    assert found["image"].startswith("pixelcost-fetch:")
    return found


def docker_login(hosts: list[str], password: str) -> str:
    auth = base64.b64encode(f"user:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth} for host in hosts}})


def run_container(
    container: Object,
    volumes: list[Object],
    settings: dict[str, str],
    secret: dict[str, str],
    folder: Path,
) -> subprocess.CompletedProcess[str]:
    """Run its command as Kubernetes would: variables filled in, a Secret's keys as variables and files."""
    files = folder / "secret"
    files.mkdir()
    volume = {each["name"]: each.get("secret") for each in volumes}
    places = {}
    for mount in container["volumeMounts"]:
        given = volume[mount["name"]]
        places[mount["mountPath"]] = str(files if given else folder / "volume")
        items = (given or {}).get("items") or [{"key": key, "path": key} for key in secret]
        for item in items if given else ():
            (files / item["path"]).write_text(secret[item["key"]])
    environ = dict(settings)
    for source in container.get("envFrom", ()):
        environ |= {
            key: value for key, value in secret.items() if "secretRef" in source and key.isidentifier()
        }
    for each in container.get("env", ()):
        reference = each.get("valueFrom", {}).get("secretKeyRef")
        environ[each["name"]] = secret[reference["key"]] if reference else each["value"]

    def filled(text: str) -> str:
        text = re.sub(r"\$\((\w+)\)", lambda name: environ[name[1]], text)
        for path, place in places.items():
            text = text.replace(path, place)
        return text

    command = [filled(each) for each in container["command"]]
    given = {name: filled(value) for name, value in environ.items()}
    return subprocess.run(
        [sys.executable, *command[1:]],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def mine(tmp_path: Path) -> list[Object]:
    """A kustomization with the component, as the document shows it."""
    kubectl = find("kubectl")
    if kubectl is None:
        pytest.skip(HOW_TO_GET_THEM)
    for folder in ("k8s", "deploy/kustomize"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    document = (ROOT / "docs" / "models.md").read_text("utf-8")
    (shown,) = [text for text in re.findall(r"```yaml\n(.*?)```", document, re.DOTALL) if "model-url" in text]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(shown)
    command = [kubectl, "kustomize", str(tmp_path / "mine")]
    return list(yaml.safe_load_all(subprocess.check_output(command, text=True, timeout=60)))


def test_the_component_breaks_no_rule_and_its_command_fetches_the_model(mine, stores, tmp_path: Path) -> None:
    assert problems(mine) == []
    server = Cluster(mine).workloads("serving")[0]
    (generated,) = [each for each in Cluster(mine).of("ConfigMap") if "MODEL_URL" in each["data"]]
    assert {"configMapRef": {"name": generated["metadata"]["name"]}} in fetcher(server)["envFrom"]
    secret = {"MODEL_AUTHORIZATION": "Bearer right"}
    settings = generated["data"] | {"MODEL_URL": f"{stores['http']}m.tar"}
    folder = tmp_path / "run"
    folder.mkdir()
    done = run_container(fetcher(server), pod_of(server)["spec"]["volumes"], settings, secret, folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "volume").iterdir() if path.name.isdigit()) == ["4"]


def test_the_cron_job_installs_the_next_version_each_time_an_export_is_new(stores, tmp_path: Path) -> None:
    job, policy = yaml.safe_load_all(CRON_JOB.read_text("utf-8"))
    pod = job["spec"]["jobTemplate"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    exported: dict[str, bytes] = {}
    with web(exported, token="Bearer right") as url:
        container["command"][3] = f"{url}export.tar.gz"
        for number, weights in enumerate((b"monday", b"monday", b"tuesday")):
            exported["export.tar.gz"] = packed({**SAVED_MODEL, "variables/variables.index": weights})
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "volume").symlink_to(tmp_path / "claim")
            (tmp_path / "claim").mkdir(exist_ok=True)
            secret = {"MODEL_AUTHORIZATION": "Bearer right"}
            done = run_container(container, pod["spec"]["volumes"], {}, secret, folder)
            assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "claim").iterdir() if path.name.isdigit()) == ["1", "2"]
    assert (tmp_path / "claim" / "2" / "variables" / "variables.index").read_bytes() == b"tuesday"
