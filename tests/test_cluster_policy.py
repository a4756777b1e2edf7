"""No object that we publish breaks a rule of tests/policy: manifests, overlays and the chart."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import manifests
from tests.policy import problems
from tests.policy.objects import Cluster, environment, main_container, name_of

ROOT = Path(__file__).resolve().parent.parent
OVERLAYS = sorted((ROOT / "deploy" / "kustomize" / "overlays").iterdir())
KUBECTL = shutil.which("kubectl")

built = pytest.mark.skipif(KUBECTL is None, reason="kubectl, which builds kustomizations, is not installed")


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


@built
def test_the_kustomization_that_the_document_shows_breaks_no_rule(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    for folder in ("k8s", "deploy/kustomize"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(text, "utf-8")
    objects = build(tmp_path / "mine")
    assert problems(objects) == []
    images = {container["image"] for _, _, container in Cluster(objects).containers()}
    assert {image.partition("/")[0] for image in images} == {"registry.example", "tensorflow"}


def test_the_document_lists_every_overlay() -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    assert all(f"| `{folder.name}` |" in text for folder in OVERLAYS)
