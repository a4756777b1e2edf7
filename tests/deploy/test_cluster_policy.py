"""No object that we publish breaks a rule of tests/policy: manifests, overlays and the chart."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from httpserver import parsers
from tests.deploy.policy import OF_MANIFESTS, Problem, problems
from tests.deploy.policy.objects import Cluster, environment, main_container, name_of
from tests.deploy.policy.traffic import met
from tests.support.deploy import manifests
from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, find
from tests.support.deploy.image_builder import is_let_through

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted((ROOT / "deploy" / "kustomize" / "overlays").iterdir())
DOCUMENT = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The examples of the document in this language, without the indent of a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


EXAMPLES = [yaml.safe_load(text) for text in blocks("yaml")]


def example(word: str) -> Any:
    """The one example that has this word."""
    (found,) = [each for each in EXAMPLES if word in str(each)]
    return found


# Components of a kustomization like that of the document; "" are its own.
MINE = [
    "",
    "no-gpu embedded keep-runs token",
    "gpu-nodes embedded",
    "no-gpu postgresql token",
    "autoscaling model-claim",
    "no-gpu queue keep-runs pull-secret",
    "gpu-runtime queue pull-secret",
]
KUBECTL = find("kubectl")

built = pytest.mark.skipif(KUBECTL is None, reason=HOW_TO_GET_THEM)


def broken(objects: list[dict[str, Any]]) -> list[Problem]:
    return problems(objects, OF_MANIFESTS)


def build(folder: Path) -> list[dict[str, Any]]:
    text = subprocess.check_output([str(KUBECTL), "kustomize", str(folder)], text=True, timeout=60)
    return list(yaml.safe_load_all(text))


def test_the_four_manifests_break_no_rule() -> None:
    assert broken(manifests.read()) == []


@pytest.mark.parametrize("name", manifests.SERVERS)
def test_a_model_server_alone_breaks_no_rule(name: str) -> None:
    assert broken(manifests.read(name)) == []


def test_the_page_alone_lacks_nothing_but_the_servers_that_it_asks() -> None:
    assert {each.rule for each in broken(manifests.read(manifests.WEB))} == {"servers"}


@built
def test_the_kustomization_of_k8s_holds_the_manifests_in_a_restricted_namespace() -> None:
    objects = build(ROOT / "k8s")
    (namespace,) = Cluster(objects).of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert broken(objects) == []
    plain = [each for each in objects if each["kind"] != "Namespace" and name_of(each) != "default-deny"]
    assert {each["metadata"].pop("namespace") for each in plain} == {"pixelcost"}
    assert sorted(plain, key=str) == sorted(manifests.read(), key=str)


@built
@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_an_overlay_breaks_no_rule(folder: Path) -> None:
    assert broken(build(folder)) == []


@built
def test_the_embedded_overlay_differs_from_cpu_only_in_images_and_commands_alone() -> None:
    stock, own = (build(ROOT / "deploy/kustomize/overlays" / name) for name in ("cpu-only", "embedded"))
    for each in Cluster(own).workloads("serving"):
        container = main_container(each)
        assert container["command"] == ["python", "-m", "serving"]
        assert container["image"].startswith("pixelcost-serving:")
        other = main_container(manifests.one(stock, "Deployment", name_of(each)))
        container.update(image=other["image"], command=other["command"])
    assert sorted(own, key=str) == sorted(stock, key=str)


def test_the_servers_stand_in_the_order_of_the_contract() -> None:
    web = manifests.one(manifests.read(manifests.WEB), "Deployment", "image-resizer")
    servers = environment(main_container(web))["TF_SERVERS"]
    assert [each.split(":")[0] for each in str(servers).split(";")] == ["GPU", "1 CPU", "8 CPU"]


@pytest.fixture
def mine(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """What the kustomization of the document builds, with other components and further keys."""
    for folder in ("k8s", "deploy/kustomize"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "mine").mkdir()

    def build_mine(*components: str, **more: Any) -> list[dict[str, Any]]:
        paths = [f"../deploy/kustomize/components/{name}" for name in components]
        found = dict(EXAMPLES[0])
        found |= {"components": paths} if components else {}
        (tmp_path / "mine" / "kustomization.yaml").write_text(yaml.safe_dump(found | more), "utf-8")
        return build(tmp_path / "mine")

    return build_mine


def registries(objects: list[dict[str, Any]]) -> set[str]:
    return {each["image"].partition("/")[0] for _, _, each in Cluster(objects).containers()}


@built
@pytest.mark.parametrize("components", MINE)
def test_the_kustomization_that_the_document_shows_breaks_no_rule(mine, components: str) -> None:
    objects = mine(*components.split())
    assert broken(objects) == []
    assert registries(objects) <= {"registry.example", "tensorflow", "docker.io", "valkey"}


@built
def test_another_namespace_holds_everything_that_the_components_add(mine) -> None:
    objects = mine("keep-runs", "autoscaling", "token", namespace="other")
    assert broken(objects) == []
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] != "Namespace"} == {"other"}


@built
def test_the_embedded_component_leaves_a_gpu_to_the_server_that_can_use_it(mine) -> None:
    images = {
        name_of(each): main_container(each)["image"]
        for each in Cluster(mine("embedded")).workloads("serving")
    }
    assert images["tf-serving-gpu"] == "docker.io/tensorflow/serving:2.19.1-gpu"
    assert images["tf-serving-1cpu"] == "registry.example/me/pixelcost-serving:0.1.0"


@built
def test_servers_can_have_their_model_from_the_claim_that_the_document_shows(mine) -> None:
    claim = example("'storageClassName'")
    objects = [*mine("no-gpu", "model-claim", "keep-runs"), claim]
    assert broken(objects) == []
    for each in Cluster(objects).workloads("serving"):
        pod = each["spec"]["template"]["spec"]
        assert "initContainers" not in pod
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": name_of(claim), "readOnly": True}
    assert set(claim["spec"]["accessModes"]) <= {"ReadWriteMany", "ReadOnlyMany"}
    assert all(mode in DOCUMENT for mode in ("ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"))


@built
def test_the_components_that_the_document_keeps_apart_do_not_go_together(mine) -> None:
    assert {each.rule for each in broken(mine("keep-runs", "postgresql"))} == {"one_node"}
    assert "not together with `keep-runs`" in DOCUMENT


def images_of(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The image of each server."""
    return {name_of(each): main_container(each)["image"] for each in Cluster(objects).workloads("serving")}


@built
@pytest.mark.parametrize("pin", [{"digest": "sha256:" + "0" * 64}, {"newTag": "2.20.0"}])
def test_pinning_the_cpu_servers_image_leaves_the_gpu_its_own(mine, pin: dict[str, str]) -> None:
    objects = mine("gpu-nodes", images=[{"name": "tensorflow/serving", **pin}])
    found = images_of(objects)
    assert found["tf-serving-gpu"] == "docker.io/tensorflow/serving:2.19.1-gpu"
    assert next(iter(pin.values())) in found["tf-serving-1cpu"]
    assert broken(objects) == []


@built
def test_the_gpus_image_can_be_pinned_by_its_digest_too(mine) -> None:
    pin = {"name": "docker.io/tensorflow/serving", "digest": "sha256:" + "1" * 64}
    objects = mine("gpu-nodes", images=[pin])
    assert images_of(objects)["tf-serving-gpu"] == f"docker.io/tensorflow/serving@{pin['digest']}"
    assert broken(objects) == []


@built
def test_the_documented_entries_and_patch_set_each_servers_image(mine) -> None:
    objects = mine("gpu-nodes", **example("tf-serving-native"))
    assert broken(objects) == []
    assert images_of(objects) == {
        "tf-serving-gpu": "docker.io/tensorflow/serving:2.20.0-gpu",
        "tf-serving-1cpu": "tensorflow/serving:2.20.0",
        "tf-serving-8cpu": "registry.example/me/tf-serving-native:1",
    }


@built
def test_the_documented_way_to_an_own_model_and_to_replicas_changes_all_servers_and_stays(mine) -> None:
    objects = mine("gpu-nodes", **example("resnet-2"), **example("'replicas'"))
    assert broken(objects) == []
    models = {each["image"] for _, _, each in Cluster(objects).containers() if each["name"] == "model"}
    assert models == {"registry.example/me/pixelcost-model:resnet-2"}
    replicas = {name_of(each): each["spec"]["replicas"] for each in Cluster(objects).workloads("serving")}
    assert replicas == {"tf-serving-gpu": 1, "tf-serving-1cpu": 3, "tf-serving-8cpu": 1}
    assert not re.search(r"kubectl [^`\n]*set image", DOCUMENT)


@built
def test_openshifts_component_leaves_the_user_to_openshift_and_changes_nothing_else(mine) -> None:
    objects = mine("no-gpu", "queue", "openshift")
    assert {each.rule for each in broken(objects)} == {"non_root", "owner"}
    for each in Cluster(objects).workloads():
        context = each["spec"]["template"]["spec"]["securityContext"]
        assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@built
def test_the_documented_patch_keeps_a_claim_of_an_earlier_version(mine) -> None:
    objects = mine("keep-runs", **example("/spec/accessModes"))
    (claim,) = Cluster(objects).of("PersistentVolumeClaim")
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
    assert {each.rule for each in broken(objects)} == {"claims", "room"}


@built
def test_a_database_in_the_namespace_can_be_asked_by_the_page_with_the_documented_policy(mine) -> None:
    objects = mine("postgresql", "no-gpu")
    policy = example("'NetworkPolicy'")
    assert broken([*objects, policy]) == []
    (web,) = Cluster(objects).workloads("web")
    assert met(policy["spec"]["ingress"], "from", web) == {("TCP", 5432)}


def run_documented(script: str, folder: Path, typed: str, **programs: str) -> str:
    """A block of the document run by bash with `programs`, name -> script, in the place of the real ones."""
    (folder / "bin").mkdir()
    for name, text in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    environ = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    command = ["bash", "-euc", script]
    done = subprocess.run(
        command, cwd=folder, env=environ, input=typed, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@built
@pytest.mark.parametrize("name", ["pixelcost-registry", "pixelcost-database", "pixelcost-token"])
def test_kubectl_makes_the_documented_secret_without_its_password_in_a_command(name, tmp_path: Path) -> None:
    (script,) = [text for text in blocks("sh") if f" {name}" in text]
    assert script.index("apply -f k8s/namespace.yaml") < script.index("create secret")
    only_made = f'[ "$1" = apply ] || exec {KUBECTL} "$@" --dry-run=client --output=yaml'
    said = run_documented(script, tmp_path, "postgresql://a:b@c/d?sslmode=require\n", kubectl=only_made)
    secret = yaml.safe_load(said)
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == (name, "pixelcost")
    (held,) = [base64.b64decode(value).decode() for value in secret["data"].values()]
    if name == "pixelcost-token":
        assert parsers.token(held) == held
    else:
        assert "a:b@c" in held and not held.endswith("\n")


def test_the_documented_image_of_an_own_model_is_built_from_a_folder_that_holds_it(tmp_path: Path) -> None:
    (script,) = [text for text in blocks("sh") if "resnet" in text]
    (tmp_path / "resnet" / "2").mkdir(parents=True)
    run_documented(script, tmp_path, "", docker='[ "$1" != build ] || cp -r "$4" built')
    copied = (tmp_path / "built" / "Dockerfile").read_text().splitlines()[1].split()
    assert copied == ["COPY", "--chown=10001:10001", "resnet", "/model"]
    assert (tmp_path / "built" / "resnet" / "2").is_dir()
    assert not is_let_through("resnet")  # so that the folder of the clone would not do


def test_the_document_never_applies_anything_over_the_readers_own_kustomization() -> None:
    assert set(re.findall(r"kubectl apply -k (\S+)", DOCUMENT.replace("`", " "))) == {"mine"}


def test_the_document_lists_every_overlay_with_its_components_and_every_component() -> None:
    for folder in OVERLAYS:
        text = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
        names = ", ".join(f"`{Path(each).name}`" for each in text["components"])
        assert f"| `{folder.name}` | {names} |" in DOCUMENT
    assert all(
        f"| `{folder.name}` | " in DOCUMENT for folder in (ROOT / "deploy/kustomize/components").iterdir()
    )
