"""The published weights of the catalogue's models: where they are kept, and getting them there."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from models.catalogue.checksum import Checksum
from models.catalogue.download import Limits, Reporter, download, part_of
from models.catalogue.table import BASE_URL, DEFAULT, Row
from models.catalogue.table import row as row_of
from models.problems import FetchFailed, ModelProblem

MIRROR_VARIABLE = "PIXELCOST_WEIGHTS_URL"


def cache_dir() -> Path:
    """`~/.cache/pixelcost`, or where XDG_CACHE_HOME says (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "pixelcost"


def url_of(row: Row, mirror: str = "") -> str:
    """Where the weights are published; `mirror` stands for everything before `inception_v3/...`.

    Raises ModelProblem when it is no address.
    """
    url = (mirror.rstrip("/") + "/" if mirror else BASE_URL) + row.weights
    try:
        is_web = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:  # for instance an IPv6 address without its bracket
        is_web = False
    if not is_web:
        raise ModelProblem(
            f"The mirror {mirror!r} is not a web address. Give one such as https://host/weights with "
            f"--mirror or {MIRROR_VARIABLE}."
        )
    return url


def state_in_cache(row: Row, cache: Path) -> str:
    """For people: "yes", "12 of 96 MB", or "no". The checksum is not looked at."""
    target = cache / row.file_name
    if target.is_file():
        return "yes"
    part = part_of(target)
    return f"{part.stat().st_size / 1e6:.0f} of {row.download_mb} MB" if part.is_file() else "no"


def fetch_weights(row: Row, cache: Path, mirror: str, limits: Limits, reporter: Reporter) -> Path:
    """The file with the weights, downloaded unless it is there. Raises FetchFailed and OSError."""
    target = cache / row.file_name
    checksum = Checksum(row.checksum) if row.checksum else None
    try:
        download(url_of(row, mirror), target, checksum, limits, reporter)
    except FetchFailed as problem:
        raise FetchFailed("\n".join([str(problem), *_advice(target, url_of(row), checksum)])) from problem
    return target


def _advice(target: Path, url: str, checksum: Checksum | None) -> list[str]:
    part = part_of(target)
    begun = part.stat().st_size / 1e6 if checksum and part.is_file() else 0
    again = f"Try again; it goes on after the {begun:.1f} MB that are there." if begun else "Try again later."
    return [
        f"{again} Or get the file in another way and put it in its place:",
        f"  from  {url}",
        f"  to    {target}",
        f"  with  {checksum or 'a checksum that is not published'}",
        f"A mirror can be named with --mirror or {MIRROR_VARIABLE}.",
        f"{row_of(DEFAULT).title} needs no download: leave MODEL out, and make run starts with it.",
    ]
