"""Downloads the published weights of the catalogue's models into the cache folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from models.catalogue.download import Checksum, Limits, Reporter, download, part_of
from models.catalogue.table import BASE_URL, DEFAULT, Row
from models.catalogue.table import row as row_of
from models.problems import FetchFailed, ModelProblem

MIRROR_VARIABLE = "PIXELCOST_WEIGHTS_URL"


def cache_dir() -> Path:
    """`~/.cache/pixelcost`, or where XDG_CACHE_HOME says (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "pixelcost"


def url_of(row: Row, mirror: str = "") -> str:
    """The address of a model's weights; `mirror` replaces everything before `inception_v3/...`.

    Raises ModelProblem if the mirror is not a web address.
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
    """Whether the weights are in the cache, in words: "yes", "12 of 96 MB" or "no". Checks no checksum."""
    target = cache / row.file_name
    if target.is_file():
        return "yes"
    part = part_of(target)
    return f"{part.stat().st_size / 1e6:.0f} of {row.download_mb} MB" if part.is_file() else "no"


def fetch_weights(row: Row, cache: Path, mirror: str, limits: Limits, reporter: Reporter) -> Path:
    """The file with the weights, downloaded if it is not in the cache. Raises FetchFailed and OSError."""
    target = cache / row.file_name
    checksum = Checksum(row.checksum) if row.checksum else None
    try:
        download(url_of(row, mirror), target, checksum, limits, reporter)
    except FetchFailed as problem:
        part = part_of(target)
        done_mb = part.stat().st_size / 1e6 if checksum and part.is_file() else 0
        again = f"Try again; it resumes after {done_mb:.1f} MB." if done_mb else "Try again later."
        raise FetchFailed(
            f"{problem}\n"
            f"{again} Or get the file in another way and put it in its place:\n"
            f"  from  {url_of(row)}\n"
            f"  to    {target}\n"
            f"  with  {checksum or 'a checksum that is not published'}\n"
            f"A mirror can be named with --mirror or {MIRROR_VARIABLE}.\n"
            f"{row_of(DEFAULT).title} needs no download: leave MODEL out, and make run starts with it."
        ) from problem
    return target
