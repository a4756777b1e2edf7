"""Find a Chromium or Chrome for the browser tests; as root on Debian, install one.

Run by `make test`. Never fails: without a browser those tests are skipped, and say why.
"""

from __future__ import annotations

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_ONE = "Install Chromium (Debian, Ubuntu: sudo apt-get install chromium) or Google Chrome."
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find() -> str | None:
    """Path of the first browser on PATH; None if none is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """Debian's package, where this process may install it."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("No Chromium found: installing Debian's for the browser tests.", flush=True)
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", *arguments], env=environ, check=False, stdout=subprocess.DEVNULL)


def main() -> None:
    """Make sure there is a browser if that can be done; say what is there."""
    if find() is None:
        install()
    print(f"Browser tests use {find()}." if find() else f"Browser tests will be skipped. {HOW_TO_GET_ONE}")


if __name__ == "__main__":
    main()
