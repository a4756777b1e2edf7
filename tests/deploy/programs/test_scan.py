"""`make scan`: which findings of checkov and trivy fail it. The scanners themselves run only there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, UNPACKED
from tools.scan import ALLOWED, PLANTED, Finding, complaints, write_subjects

SEEN = [Finding(name, "P1", f"{PLANTED}.yaml", "planted") for name in ("checkov", "trivy")]
SHELL = Finding("checkov", "CKV_1", "token.yaml", "has a shell")


def test_a_finding_fails_the_scan_unless_it_has_a_reason() -> None:
    reasons = {"checkov": {"CKV_1": "It needs one."}, "trivy": {}}
    assert complaints([*SEEN, SHELL], reasons) == []
    assert complaints([*SEEN, SHELL], {"checkov": {}, "trivy": {}}) == [
        "checkov CKV_1 in token.yaml: has a shell"
    ]


def test_a_reason_of_one_scanner_is_none_of_the_other() -> None:
    reasons = {"checkov": {}, "trivy": {"CKV_1": "It needs one."}}
    assert len(complaints([*SEEN, SHELL], reasons)) == 2


def test_a_reason_that_nothing_needs_any_more_fails_the_scan() -> None:
    (complaint,) = complaints(SEEN, {"checkov": {"CKV_1": "It needs one."}, "trivy": {}})
    assert "CKV_1" in complaint and "nothing is found any more" in complaint


def test_a_scanner_that_finds_nothing_wrong_with_the_planted_pod_fails_the_scan() -> None:
    (complaint,) = complaints(SEEN[:1], {"checkov": {}, "trivy": {}})
    assert complaint == "trivy does not find what is wrong with the pod that was planted"


def test_every_reason_is_a_sentence() -> None:
    allowed = yaml.safe_load(ALLOWED.read_text("utf-8"))
    assert allowed.keys() == {"checkov", "trivy"}
    assert all(reason.endswith(".") for rules in allowed.values() for reason in rules.values())


@pytest.mark.skipif(not UNPACKED.exists(), reason=HOW_TO_GET_THEM)
def test_every_kustomization_the_chart_and_the_dockerfile_are_scanned(tmp_path: Path) -> None:
    write_subjects(tmp_path / "subjects", UNPACKED)
    names = {path.stem for path in (tmp_path / "subjects").iterdir()}
    assert {"k8s", "gpu", "queue", "chart-defaults", "Dockerfile", PLANTED} <= names
    assert all(path.stat().st_size for path in (tmp_path / "subjects").iterdir())
