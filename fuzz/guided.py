"""One target under atheris: python -m fuzz.guided NAME [libFuzzer's options] CORPUS. See fuzz/__main__.py."""

from __future__ import annotations

import sys

import atheris

PACKAGES = ["common", "experiment", "webapp", "serving", "models"]

with atheris.instrument_imports(include=PACKAGES):
    from fuzz.runner import load

    target = load(sys.argv[1])

atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: target.feed(data) and None)
atheris.Fuzz()
