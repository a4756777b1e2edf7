"""One version everywhere, that of pyproject.toml: else deployments ask for images that nobody has built."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
CHANGES = (ROOT / "CHANGELOG.md").read_text("utf-8")
FOLDERS = [path for folder in ("k8s", "deploy") for path in (ROOT / folder).rglob("*.*") if path.is_file()]
DOCUMENTS = [
    ROOT / "docs" / f"{name}.md" for name in ("compose", "helm", "kubernetes", "locust", "swarm", "swarm-api")
]
FILES = [
    ROOT / "Dockerfile",
    ROOT / "docker" / "dockerfile",
    ROOT / "compose.yaml",
    ROOT / "experiment" / "__init__.py",
    *FOLDERS,
    *DOCUMENTS,
]

BEFORE = (  # what stands before a version of ours: the name of an image, or what says the tag of one
    r"pixelcost-[\w$]+(?::|, tag: |, newTag: )",
    r"VERSION:-|VERSION=|`VERSION` \| empty, ",
    r"\bversion: |\bappVersion: ",
    r'__version__ = "',
)
PLACE = re.compile(rf"(?:{'|'.join(BEFORE)})(\d[\w.+-]*)")


def places(path: Path) -> list[str]:
    """Every version of ours that stands in a file."""
    return PLACE.findall(path.read_text("utf-8"))


def test_every_version_of_ours_is_that_of_the_project() -> None:
    found = {str(path.relative_to(ROOT)): set(places(path)) - {VERSION} for path in FILES}
    assert {name: others for name, others in found.items() if others} == {}


def test_no_version_stands_where_the_test_above_does_not_look() -> None:
    whole = re.compile(rf"(?<![\w.]){re.escape(VERSION)}(?!\.?\w)")
    unseen = [path for path in FILES if len(whole.findall(path.read_text("utf-8"))) != len(places(path))]
    assert unseen == []


def test_every_kind_of_deployment_names_a_version() -> None:
    found = [path for path in FILES if places(path)]
    assert {path.parent.name for path in found} >= {
        "k8s",
        "swarm",
        "pixelcost",
        "embedded",
        "docs",
        "experiment",
    }
    assert sum(len(places(path)) for path in found) >= 30


def test_the_changelog_names_the_version_that_was_released_last() -> None:
    headings = re.findall(r"^## (\d+\.\d+\.\d+)( \(not released yet\))?$", CHANGES, re.MULTILINE)
    assert next(version for version, is_coming in headings if not is_coming) == VERSION
    assert len(headings) == CHANGES.count("\n## ")


def test_every_change_stands_under_one_of_four_headings() -> None:
    kinds = re.findall(r"^### (.+)$", CHANGES, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Fixed", "Removed"}
    assert max(map(len, re.split(r"\n(?=- |\*|#)|\n\n", CHANGES))) < 420, "a bullet, not a story"
