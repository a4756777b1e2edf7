"""Renew or check the third-party files under static/.

    python -m tools.vendor                fetch every file again and write static/vendor/VERSIONS
    python -m tools.vendor --check        compare the files with VERSIONS; needs no network

To move to a newer release, change a version below, renew, look at the page, commit
all of it together. Nothing on the page is ever loaded from another host.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
VERSIONS = STATIC / "vendor" / "VERSIONS"

PLOTLY = "plotly.js-basic-dist-min"
PLOTLY_VERSION = "4.1.1"
PICA, PICA_VERSION = "pica", "10.0.3"
AXE_VERSION = "4.14.1"
SCIKIT_IMAGE_VERSION = "0.26.0"
SWAGGER, SWAGGER_VERSION = "swagger-ui-dist", "5.35.0"
SWAGGER_FILES = {  # path under static/ -> file of the package
    "vendor/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "vendor/swagger-ui.css": "swagger-ui.css",
    "vendor/swagger-ui-LICENSE.txt": "LICENSE",
    "vendor/swagger-ui-NOTICE.txt": "NOTICE",
    "vendor/swagger-ui-bundle-LICENSES.txt": "swagger-ui-bundle.js.LICENSE.txt",
}


@dataclass(frozen=True)
class Vendored:
    """One file that others wrote. `path` is relative to static/."""

    path: str
    package: str
    version: str
    licence: str


FILES = (
    Vendored("vendor/plotly-basic.min.js", PLOTLY, PLOTLY_VERSION, "MIT"),
    Vendored("vendor/plotly-LICENSE.txt", PLOTLY, PLOTLY_VERSION, "MIT"),
    Vendored("vendor/plotly.css", PLOTLY, PLOTLY_VERSION, "MIT"),
    Vendored("vendor/pica.js", PICA, PICA_VERSION, "MIT"),
    Vendored("vendor/pica-LICENSE.txt", PICA, PICA_VERSION, "MIT"),
    *(Vendored(path, SWAGGER, SWAGGER_VERSION, "Apache-2.0") for path in SWAGGER_FILES),
    Vendored("../tests/vendor/axe.min.js", "axe-core", AXE_VERSION, "MPL-2.0"),
    Vendored("samples/cat.png", "scikit-image", SCIKIT_IMAGE_VERSION, "CC0-1.0"),
)

HEADER = """\
# Files that others wrote. Written by tools/vendor.py: renew with it, do not edit.
# vendor/plotly.css holds the style rules of plotly-basic.min.js, which would add them
# as an inline style that our Content-Security-Policy forbids.
# vendor/pica.js is pica's dist/pica_main.mjs: the build that brings no worker of its own.
# tests/vendor/axe.min.js only judges the page in the tests; its source is the package's own.
# samples/cat.png is skimage/data/chelsea.png: "No copyright restrictions. CC0 by the
# photographer (Stefan van der Walt)."
# file  package  version  licence  sha256
"""


def plotly_css(script: str) -> str:
    """The style rules that plotly.js carries, as a style sheet.

    The script holds them as an object of selector -> declarations and replaces X and Y
    in the selectors, as done here. Raises ValueError when a new release does it otherwise.
    """
    found = re.search(r'=\{("X,X div":.*?)\};for\(', script)
    if not found:
        raise ValueError(
            "plotly.js keeps its style rules elsewhere now; read its build/plotcss and mend this."
        )
    string = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
    rules = re.findall(rf"({string}|\w+):({string})", found.group(1))
    lines = [f"{_selector(_unquote(key))} {{ {_unquote(value)} }}" for key, value in rules]
    # plotly.js inserts each rule before the earlier ones, so the order is turned round.
    return "\n".join(["/* Written by tools/vendor.py. */", *reversed(lines)]) + "\n"


def _unquote(text: str) -> str:
    return text.strip("\"'") if text[:1] in "\"'" else text


def _selector(key: str) -> str:
    return key.replace("X", ".js-plotly-plot .plotly").replace("Y", ".plotly-notifier")


def fetch_plotly(folder: Path) -> dict[str, bytes]:
    """Path under static/ -> content, out of the npm package."""
    with tarfile.open(_npm_package(folder, f"{PLOTLY}@{PLOTLY_VERSION}")) as archive:
        script = _member(archive, "package/plotly-basic.min.js")
        licence = _member(archive, "package/LICENSE")
    return {
        "vendor/plotly-basic.min.js": script,
        "vendor/plotly-LICENSE.txt": licence,
        "vendor/plotly.css": plotly_css(script.decode()).encode(),
    }


def fetch_pica(folder: Path) -> dict[str, bytes]:
    """Path under static/ -> content: the module without pica's own workers, out of the npm package."""
    with tarfile.open(_npm_package(folder, f"{PICA}@{PICA_VERSION}")) as archive:
        return {
            "vendor/pica.js": _member(archive, "package/dist/pica_main.mjs"),
            "vendor/pica-LICENSE.txt": _member(archive, "package/LICENSE"),
        }


def fetch_swagger(folder: Path) -> dict[str, bytes]:
    """The viewer of OpenAPI documents, out of its npm package."""
    with tarfile.open(_npm_package(folder, f"{SWAGGER}@{SWAGGER_VERSION}")) as archive:
        return {path: _member(archive, f"package/{name}") for path, name in SWAGGER_FILES.items()}


def fetch_axe(folder: Path) -> dict[str, bytes]:
    """The checker of accessibility, out of its npm package. Its licence stands in its first lines."""
    with tarfile.open(_npm_package(folder, f"axe-core@{AXE_VERSION}")) as archive:
        return {"../tests/vendor/axe.min.js": _member(archive, "package/axe.min.js")}


def _npm_package(folder: Path, wanted: str) -> Path:
    command = ["npm", "pack", "--silent", wanted]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return folder / done.stdout.split()[-1]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise ValueError(f"the package holds no file {name}")
    return stream.read()


def fetch_cat(folder: Path) -> dict[str, bytes]:
    """Path under static/ -> content, out of scikit-image's wheel, which is not installed."""
    wanted = f"scikit-image=={SCIKIT_IMAGE_VERSION}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", wanted]
    subprocess.run([*command, "--dest", str(folder), "--quiet"], check=True)
    with zipfile.ZipFile(next(folder.glob("scikit_image-*.whl"))) as wheel:
        return {"samples/cat.png": wheel.read("skimage/data/chelsea.png")}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions_text() -> str:
    """What VERSIONS must say for the files as they lie on disk."""
    rows = [
        f"{file.path}  {file.package}  {file.version}  {file.licence}  {sha256_of(STATIC / file.path)}"
        for file in FILES
    ]
    return HEADER + "\n".join(rows) + "\n"


def renew() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        makers = (fetch_plotly, fetch_pica, fetch_swagger, fetch_axe, fetch_cat)
        made = {path: content for make in makers for path, content in make(folder).items()}
        for path, content in made.items():
            (STATIC / path).parent.mkdir(parents=True, exist_ok=True)
            (STATIC / path).write_bytes(content)
            print(f"wrote static/{path} ({len(content):,} bytes)")
    VERSIONS.write_text(versions_text())


def check() -> int:
    if VERSIONS.read_text() == versions_text():
        print(f"{len(FILES)} vendored files are as VERSIONS says.")
        return 0
    print("A vendored file differs from static/vendor/VERSIONS. Run python -m tools.vendor, commit all.")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="only compare the files with VERSIONS")
    if parser.parse_args().check:
        return check()
    renew()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
