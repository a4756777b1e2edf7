"""No object that we publish breaks a rule of tests/policy: manifests, overlays and the chart."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.policy import problems
from tests.deploy.policy.objects import Cluster, environment, main_container, name_of
from tests.support.deploy import manifests
from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, find

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted((ROOT / "deploy" / "kustomize" / "overlays").iterdir())
DOCUMENT = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
# Components of a kustomization like that of the document; "" are its own.
MINE = [
    "",
    "no-gpu embedded keep-runs token",
    "gpu-nodes embedded",
    "no-gpu postgresql token",
    "autoscaling model-claim",
    "no-gpu queue keep-runs",
]
KUBECTL = find("kubectl")

built = pytest.mark.skipif(KUBECTL is None, reason=HOW_TO_GET_THEM)


def build(folder: Path) -> list[dict[str, Any]]:
    text = subprocess.check_output([str(KUBECTL), "kustomize", str(folder)], text=True, timeout=60)
    return list(yaml.safe_load_all(text))


def test_the_four_manifests_break_no_rule() -> None:
    assert problems(manifests.read()) == []


@pytest.mark.parametrize("name", manifests.SERVERS)
def test_a_model_server_alone_breaks_no_rule(name: str) -> None:
    assert problems(manifests.read(name)) == []


def test_the_page_alone_lacks_nothing_but_the_servers_that_it_asks() -> None:
    assert {each.rule for each in problems(manifests.read(manifests.WEB))} == {"servers"}


@built
def test_the_kustomization_of_k8s_holds_the_manifests_in_a_restricted_namespace() -> None:
    objects = build(ROOT / "k8s")
    (namespace,) = Cluster(objects).of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert problems(objects) == []
    plain = [each for each in objects if each["kind"] != "Namespace" and name_of(each) != "default-deny"]
    assert {each["metadata"].pop("namespace") for each in plain} == {"pixelcost"}
    assert sorted(plain, key=str) == sorted(manifests.read(), key=str)


@built
@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_an_overlay_breaks_no_rule(folder: Path) -> None:
    assert problems(build(folder)) == []


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

    def build_mine(*components: str, **more: str) -> list[dict[str, Any]]:
        paths = [f"../deploy/kustomize/components/{name}" for name in components]
        found = yaml.safe_load(DOCUMENT.split("```yaml\n")[1].split("```")[0])
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
    assert problems(objects) == []
    assert registries(objects) <= {"registry.example", "tensorflow", "valkey"}


@built
def test_another_namespace_holds_everything_that_the_components_add(mine) -> None:
    objects = mine("keep-runs", "autoscaling", "token", namespace="other")
    assert problems(objects) == []
    assert {each["metadata"].get("namespace") for each in objects if each["kind"] != "Namespace"} == {"other"}


@built
def test_the_embedded_component_leaves_a_gpu_to_the_server_that_can_use_it(mine) -> None:
    images = {
        name_of(each): main_container(each)["image"]
        for each in Cluster(mine("embedded")).workloads("serving")
    }
    assert images["tf-serving-gpu"] == "tensorflow/serving:2.19.1-gpu"
    assert images["tf-serving-1cpu"] == "registry.example/me/pixelcost-serving:0.1.0"


@built
def test_servers_can_have_their_model_from_the_claim_that_the_document_shows(mine) -> None:
    claim = yaml.safe_load(re.split(r"```yaml\n", DOCUMENT)[2].split("```")[0])
    objects = [*mine("no-gpu", "model-claim", "keep-runs"), claim]
    assert problems(objects) == []
    for each in Cluster(objects).workloads("serving"):
        pod = each["spec"]["template"]["spec"]
        assert "initContainers" not in pod
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": name_of(claim), "readOnly": True}
    assert set(claim["spec"]["accessModes"]) <= {"ReadWriteMany", "ReadOnlyMany"}
    assert all(mode in DOCUMENT for mode in ("ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"))


@built
def test_the_components_that_the_document_keeps_apart_do_not_go_together(mine) -> None:
    assert {each.rule for each in problems(mine("keep-runs", "postgresql"))} == {"one_node"}
    assert "not together with `keep-runs`" in DOCUMENT


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
