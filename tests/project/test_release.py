"""python -m tools.release: what it refuses, prints, builds and pushes; docker and helm are stand-ins."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tools import release

ROOT = Path(__file__).resolve().parents[2]
ASKED = ["--registry", "registry.example/me", "--source", "https://git.example/pixelcost"]
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
for word; do case $word in type=oci,dest=*) cp "$IMAGE" "${word#type=oci,dest=}" ;; esac; done
"""


def oci_archive(path: Path, layer: bytes) -> None:
    """An image of one layer with an attestation, as buildx writes it."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes, **more: Any) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}", "size": len(content), **more}

    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    packed = blob(gzip.compress(layer), mediaType=kind)
    statement = blob(b"x" * 5_000, mediaType="application/vnd.in-toto+json")
    image = blob(json.dumps({"layers": [packed]}).encode())
    attached = blob(
        json.dumps({"layers": [statement]}).encode(),
        annotations={"vnd.docker.reference.type": "attestation-manifest"},
    )
    platforms = blob(json.dumps({"manifests": [image, attached]}).encode())
    blobs["index.json"] = json.dumps({"manifests": [platforms]}).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in blobs.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_project(folder: Path, heading: str = "1.2.0", chart: str = "1.2.0") -> None:
    """The files with a version, and a module that stands for `python -m build`."""
    files = {
        "pyproject.toml": '[project]\nversion = "1.2.0"\n',
        "CHANGELOG.md": f"# Changelog\n\n## {heading}\n",
        "experiment/__init__.py": '__version__ = "1.2.0"\n',
        "deploy/helm/pixelcost/Chart.yaml": f'name: pixelcost\nversion: {chart}\nappVersion: "1.2.0"\n',
        "build.py": "import pathlib\npathlib.Path('dist').mkdir(exist_ok=True)\n",
        ".gitignore": "dist\n__pycache__\n",
        "requirements/run.txt": "",
        "requirements/tensorflow.txt": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of what was called in place of the real programs; the project is a small one, committed."""
    project, programs, log = tmp_path / "project", tmp_path / "bin", tmp_path / "log"
    write_project(project)
    person = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    for words in (["init", "--quiet"], ["add", "."], [*person, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    programs.mkdir()
    for name in ("docker", "helm", "cyclonedx-py"):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(0o755)
    oci_archive(tmp_path / "image.tar", bytes(3_000_000))
    log.touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("IMAGE", str(tmp_path / "image.tar"))
    monkeypatch.setattr(release, "ROOT", project)
    monkeypatch.setattr(release, "problems", lambda: iter(()))
    return log


def outputs(log: Path) -> list[str]:
    return re.findall(r"--output (\S+)", log.read_text())


def test_versions_that_disagree_and_a_changelog_that_waits_are_named(tmp_path: Path) -> None:
    write_project(tmp_path)
    assert list(release.problems(tmp_path)) == []
    write_project(tmp_path, heading="1.2.0 (not yet)", chart="1.1.0")
    assert list(release.problems(tmp_path)) == [
        "pyproject.toml has version 1.2.0, but the version of Chart.yaml is 1.1.0",
        "pyproject.toml has version 1.2.0, but the newest heading of CHANGELOG.md is 1.2.0 (not yet)",
    ]


def test_the_versions_of_this_project_agree() -> None:
    assert [problem for problem in release.problems(ROOT) if "CHANGELOG" not in problem] == []


def test_without_run_the_commands_are_printed_and_nothing_is_called(ran: Path, capsys: Any) -> None:
    assert release.main(ASKED) == 0
    builds, pushes = capsys.readouterr().out.split("# then prints the sizes")
    assert ran.read_text() == ""
    assert "type=registry" not in builds
    assert builds.count("docker buildx build") == pushes.count("docker buildx build") == len(release.TARGETS)
    assert pushes.strip().endswith("git push origin v1.2.0")
    assert f"git tag --annotate v1.2.0 --message 'Pixelcost 1.2.0' {revision()}" in pushes


def revision() -> str:
    return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=release.ROOT, text=True).strip()


def test_every_image_of_the_dockerfile_is_built_with_labels_sbom_and_provenance(
    ran: Path, capsys: Any
) -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)[1:]
    images = {stage.split()[2] for stage in stages if "org.opencontainers.image.title" in stage}
    release.main(ASKED)
    lines = capsys.readouterr().out.splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith("docker")]
    built = {words[words.index("--target") + 1]: words for words in commands}
    assert set(built) == images
    for target, words in built.items():
        pairs = set(pairwise(words))
        assert {"--sbom=true", "--provenance=mode=max"} <= set(words)
        assert {
            ("--build-arg", "VERSION=1.2.0"),
            ("--build-arg", f"REVISION={revision()}"),
            ("--label", "org.opencontainers.image.source=https://git.example/pixelcost"),
            ("--tag", f"registry.example/me/pixelcost-{target}:1.2.0"),
            ("--tag", f"registry.example/me/pixelcost-{target}:{revision()[:12]}"),
        } <= pairs
        assert any(word.startswith("org.opencontainers.image.created=20") for word in words)


def test_run_builds_all_and_prints_the_sizes_but_pushes_nothing(ran: Path, capsys: Any) -> None:
    assert release.main([*ASKED, "--run"]) == 0
    assert outputs(ran) == [f"type=oci,dest=dist/pixelcost-{target}-1.2.0.tar" for target in release.TARGETS]
    said = capsys.readouterr().out
    assert "pixelcost-web: 0 MB to pull, 3 MB unpacked" in said
    assert said.count("MB unpacked") == len(release.TARGETS)
    assert "cyclonedx-py requirements - --pyproject pyproject.toml" in ran.read_text()


def test_push_comes_after_the_sizes(ran: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", ran.parent / "origin"], check=True)
    subprocess.run(["git", "remote", "add", "origin", ran.parent / "origin"], cwd=release.ROOT, check=True)
    for key, value in {"user.name": "me", "user.email": "me@example.org"}.items():
        subprocess.run(["git", "config", key, value], cwd=release.ROOT, check=True)
    assert release.main([*ASKED, "--run", "--push"]) == 0
    assert outputs(ran)[len(release.TARGETS) :] == ["type=registry"] * len(release.TARGETS)
    assert "helm push dist/pixelcost-1.2.0.tgz oci://registry.example/me/charts" in ran.read_text()
    tags = subprocess.check_output(["git", "tag"], cwd=ran.parent / "origin", text=True)
    assert tags.split() == ["v1.2.0"]


def test_a_page_that_is_too_large_is_not_pushed(ran: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(release.MOST_MB, "web", 0.001)
    assert release.main([*ASKED, "--run", "--push"]) == 2
    assert "Before the release: pixelcost-web has 0 MB to pull: 0.001 at most." in capsys.readouterr().err
    assert "type=registry" not in outputs(ran)


def test_what_is_not_committed_is_not_built(ran: Path, capsys: Any) -> None:
    (release.ROOT / "new").touch()
    assert release.main([*ASKED, "--run"]) == 2
    assert "changes that are not committed" in capsys.readouterr().err
    assert ran.read_text() == ""


def test_a_command_that_fails_ends_the_release(ran: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(SystemExit, match="That ended with exit code 3: nothing after it was done"):
        release.main([*ASKED, "--run", "--push"])
    assert "helm" not in ran.read_text()
