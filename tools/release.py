"""python -m tools.release: checks a release, then prints the commands that make it; --run runs them.

Without --push nothing leaves this machine: wheel, images and their bills of materials (SBOM) lie in dist/.
docs/releasing.md is the guide.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("web", "serving", "model", "load", "jobs", "gateway", "fetch")  # of the Dockerfile
MOST_MB = {"web": 250}  # as pulled: compressed
ATTESTATION = "vnd.docker.reference.type"  # the annotation of what is no image: SBOM and provenance


class Release(NamedTuple):
    """What is released, and to where."""

    version: str
    revision: str  # the commit, 40 hex digits
    created: str  # of the commit, RFC 3339: the same commit gives the same label
    registry: str
    source: str  # URL of the repository


class Size(NamedTuple):
    """Of an image: what a node downloads, and what lies on its disk."""

    pulled_mb: float
    unpacked_mb: float


def problems(root: Path = ROOT) -> Iterator[str]:
    """What is to be mended before a release: versions that disagree, and a changelog that still waits."""
    version = _version(root)
    chart = (root / "deploy" / "helm" / "pixelcost" / "Chart.yaml").read_text("utf-8")
    code = (root / "experiment" / "__init__.py").read_text("utf-8")
    heading = re.search(r"^## (.+)$", (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    said = {
        "version of Chart.yaml": _first(r"^version: *\"?([^\"\s]+)", chart),
        "appVersion of Chart.yaml": _first(r"^appVersion: *\"?([^\"\s]+)", chart),
        "__version__ of experiment/__init__.py": _first(r"^__version__ = \"(.+)\"", code),
        "newest heading of CHANGELOG.md": heading and heading[1],
    }
    for what, found in said.items():
        if found != version:
            yield f"pyproject.toml has version {version}, but the {what} is {found or 'missing'}"


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.MULTILINE)
    return found and found[1]


def _version(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def package_commands(release: Release) -> list[str]:
    """The wheel, the source archive, and what they need as a CycloneDX document, from the locks."""
    locks = "requirements/run.txt requirements/tensorflow.txt"
    about = f"--pyproject pyproject.toml --output-reproducible -o dist/pixelcost-{release.version}.cdx.json"
    return [
        f"{shlex.quote(sys.executable)} -m build --outdir dist .",
        f"cat {locks} | cyclonedx-py requirements - {about}",
    ]


def image_command(release: Release, target: str, output: str) -> str:
    """Builds one image with labels, SBOM and provenance. `output` is one of buildx."""
    facts = {"source": release.source, "url": release.source, "created": release.created}
    labels = [f"org.opencontainers.image.{key}={value}" for key, value in facts.items()]
    tags = [
        f"{release.registry}/pixelcost-{target}:{tag}" for tag in (release.version, release.revision[:12])
    ]
    return shlex.join(
        [
            *("docker", "buildx", "build", "--target", target, "--platform", "linux/amd64", "--pull"),
            *("--sbom=true", "--provenance=mode=max"),
            *("--build-arg", f"VERSION={release.version}", "--build-arg", f"REVISION={release.revision}"),
            *(word for label in labels for word in ("--label", label)),
            *(word for tag in tags for word in ("--tag", tag)),
            *("--output", output, "."),
        ]
    )


def archive(release: Release, target: str) -> str:
    """Where an image lies before it is pushed."""
    return f"dist/pixelcost-{target}-{release.version}.tar"


def publish_commands(release: Release) -> list[str]:
    """Pushes the images, which are built from the cache, then the chart, and tags the commit last."""
    chart = f"dist/pixelcost-{release.version}.tgz"
    return [
        *(image_command(release, target, "type=registry") for target in TARGETS),
        "helm package deploy/helm/pixelcost --destination dist",
        shlex.join(["helm", "push", chart, f"oci://{release.registry}/charts"]),
        f"git tag --annotate v{release.version} --message 'Pixelcost {release.version}' {release.revision}",
        f"git push origin v{release.version}",
    ]


def image_size(path: Path) -> Size:
    """Of the image in an OCI archive, without what was attached to it (SBOM, provenance)."""
    with tarfile.open(path) as files:
        layers = list(_layers(files, "index.json"))
        unpacked_bytes = sum(_unpacked_bytes(files, layer) for layer in layers)
    return Size(sum(layer["size"] for layer in layers) / 1e6, unpacked_bytes / 1e6)


def _layers(files: tarfile.TarFile, name: str) -> Iterator[dict[str, Any]]:
    with _member(files, name) as file:
        document = json.load(file)
    yield from document.get("layers", [])
    for manifest in document.get("manifests", []):
        if ATTESTATION not in manifest.get("annotations", {}):
            yield from _layers(files, _blob(manifest))


def _unpacked_bytes(files: tarfile.TarFile, layer: dict[str, Any]) -> int:
    with _member(files, _blob(layer)) as file:
        unpacked = gzip.GzipFile(fileobj=file) if layer["mediaType"].endswith("gzip") else file
        return sum(len(part) for part in iter(lambda: unpacked.read(1 << 20), b""))


def _blob(described: dict[str, Any]) -> str:
    return "blobs/" + described["digest"].replace(":", "/")


def _member(files: tarfile.TarFile, name: str) -> Any:
    found = files.extractfile(name)
    if found is None:
        raise SystemExit(f"{files.name!s} holds no {name}: it is no OCI archive")
    return found


def too_large(release: Release, folder: Path) -> Iterator[str]:
    """Prints the size of each image; gives a sentence for each that is above its limit."""
    for target in TARGETS:
        size = image_size(folder / archive(release, target))
        print(f"pixelcost-{target}: {size.pulled_mb:.0f} MB to pull, {size.unpacked_mb:.0f} MB unpacked")
        if size.pulled_mb > MOST_MB.get(target, float("inf")):
            yield f"pixelcost-{target} has {size.pulled_mb:.0f} MB to pull: {MOST_MB[target]} at most"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 if something is to be mended first."""
    options = _parser().parse_args(arguments)
    release = Release(
        _version(ROOT),
        _git("rev-parse", "HEAD"),
        _git("log", "-1", "--format=%cI"),
        options.registry,
        options.source,
    )
    build = package_commands(release) + [
        image_command(release, target, f"type=oci,dest={archive(release, target)}") for target in TARGETS
    ]
    wrong = list(problems())
    if _git("status", "--porcelain"):
        wrong.append("there are changes that are not committed: what is built would not be what is tagged")
    if options.run and not wrong:
        _run(build)
        wrong = list(too_large(release, ROOT))
        if options.push and not wrong:
            _run(publish_commands(release))
    elif not options.run:
        print("# builds, with --run:", *build, sep="\n")
        print("# then prints the sizes, and pushes, with --run --push:", *publish_commands(release), sep="\n")
    for problem in wrong:
        print(f"Before the release: {problem}.", file=sys.stderr)
    return 2 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--registry", required=True, help="where images and chart go, as registry.example/me")
    parser.add_argument("--source", required=True, help="URL of the repository, for the images' labels")
    parser.add_argument("--run", action="store_true", help="build instead of only printing how")
    parser.add_argument(
        "--push", action="store_true", help="with --run: push images, chart and tag afterwards"
    )
    return parser


def _git(*words: str) -> str:
    return subprocess.check_output(["git", *words], cwd=ROOT, text=True).strip()


def _run(commands: Sequence[str]) -> None:
    for command in commands:
        print(f"+ {command}", flush=True)
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, check=False)
        if done.returncode:
            raise SystemExit(f"That ended with exit code {done.returncode}: nothing after it was done.")


if __name__ == "__main__":
    sys.exit(main())
