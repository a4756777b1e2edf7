"""`install`: fetch a model from S3, GCS, HTTP or a registry, as numbered versions in a folder."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from models.problems import ModelProblem
from models.remote.installing import Wanted, install_from
from models.remote.source import Source

SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MODEL_AUTHORIZATION")
SHORTEST_SECRET = 4  # characters: a shorter one is hidden in an address, not inside of words
LARGEST_VERSION = 2**63 - 1  # TensorFlow Serving's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the address, the folder, and what is to be checked."""
    add = parser.add_argument
    add(
        "address",
        metavar="ADDRESS",
        help="s3://, gs://, https:// or oci://: a folder, archive or file",
    )
    add("--into", type=Path, required=True, metavar="DIR", help="the model becomes DIR/VERSION")
    add(
        "--version",
        type=_version,
        action="append",
        default=[],
        metavar="N",
        help="which of the source's versions, or the number of a model without one; may be repeated "
        "(the newest, or the next number)",
    )
    add(
        "--sha256",
        type=_sha256,
        metavar="DIGITS",
        help="of the archive; of a folder: of its SHA256SUMS",
    )
    add("--keep", type=_version, metavar="N", help="how many versions stay (2; all with --version)")
    add("--anonymous", action="store_true", help="the bucket is public: ask for it without credentials")
    add("--plain-http", action="store_true", help="the registry has no TLS")


def run(options: argparse.Namespace) -> int:
    """Install, and print where each version is."""
    _check_address(options.address)
    wanted = Wanted(tuple(dict.fromkeys(options.version)), options.sha256 or "", options.keep)
    try:
        source = open_source(options.address, options)
        for placed in install_from(source, options.into, wanted, lambda text: print(text, flush=True)):
            print(f"model: {placed.directory}" + ("" if placed.is_new else " (was there already)"))
    except ModelProblem as problem:
        raise type(problem)(_without(_secrets(options.address), str(problem))) from None
    return 0


def open_source(address: str, options: argparse.Namespace) -> Source:
    """The store that an address names. Raises ModelProblem if there is no such kind."""
    kinds: Mapping[str, Callable[[], Source]] = {
        "s3": lambda: _s3(address, options),
        "gs": lambda: _gcs(address, options),
        "http": lambda: _web(address),
        "https": lambda: _web(address),
        "oci": lambda: _registry(address, options),
    }
    scheme = urlsplit(address).scheme.lower()
    if scheme not in kinds:
        raise ModelProblem(
            "A model's address begins with s3://, gs://, https://, http:// or oci://. For a folder of this "
            "machine: python -m models.install FROM TO."
        )
    try:
        return kinds[scheme]()
    except ImportError as missing:
        raise ModelProblem(
            f"Models from {scheme}:// need the package {missing.name}: pip install -r requirements/remote.txt"
        ) from None


def _check_address(address: str) -> None:
    """Raise ModelProblem, which doesn't repeat the address: an unescaped password may be anywhere in it."""
    try:
        _ = urlsplit(address).port
    except ValueError:
        raise ModelProblem(
            "The server in the model's address can't be read: is the port a number up to 65535? In a user "
            "name or password write / as %2F, ? as %3F, # as %23, and @ as %40."
        ) from None


def _s3(address: str, options: argparse.Namespace) -> Source:
    from models.remote.s3 import Bucket

    return Bucket(address, is_anonymous=options.anonymous)


def _gcs(address: str, options: argparse.Namespace) -> Source:
    from models.remote.gcs import Bucket

    return Bucket(address, is_anonymous=options.anonymous)


def _web(address: str) -> Source:
    from models.remote.web import WebServer

    return WebServer(address)


def _registry(address: str, options: argparse.Namespace) -> Source:
    from models.remote.registry import Registry

    return Registry(address, is_plain_http=options.plain_http)


def _secrets(address: str) -> list[str]:
    """What no message may hold, whichever library wrote it."""
    parts = urlsplit(address)
    passwords = (parts.password or "", unquote(parts.password or ""))
    told = [
        parts.query,
        f":{parts.password}@" if parts.password else None,
        *(word for word in passwords if len(word) >= SHORTEST_SECRET),
        *map(os.environ.get, SECRET_VARIABLES),
    ]
    return [secret for secret in told if secret]


def _without(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _version(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:20]) <= LARGEST_VERSION:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _sha256(text: str) -> str:
    digits = text.lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise argparse.ArgumentTypeError(f"{text!r} is not a SHA-256, which has 64 hexadecimal digits")
    return digits
