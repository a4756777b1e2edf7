"""`python -m gateway`: reads options and settings, then serves until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

from common.installed import as_typed
from experiment.errors import ConfigRefused, PixelcostError
from gateway.cluster_serving.options import NAMES, NO_MEANING, translated
from gateway.cluster_serving.servables import servables
from gateway.config import Settings, keys, read_settings
from gateway.models.keeper import kept
from gateway.server import Server

DOTENV = Path(".env")


def main(arguments: Sequence[str]) -> int:
    """Serve. Returns the exit code. Raises PixelcostError."""
    given = {name: text for name, text in vars(_parser().parse_args(arguments)).items() if text is not None}
    old, notes = translated({name: given.pop(name) for name in NAMES if name in given})
    settings = settings_of(old | given, os.environ)
    if settings.frontend_port:
        servables(settings.servables, settings.queue)  # fails here with a sentence
    for note in notes:
        print(note, file=sys.stderr)
    for port in filter(None, (settings.port, settings.frontend_port)):
        _check_port(settings.host, port)
    with kept(Path(settings.models_dir), settings.cache) if settings.models_dir else nullcontext():
        Server(settings).run()
    return 0


def settings_of(options: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    """Settings of options by their names, above the environment. Raises ConfigRefused."""
    as_keys = {keys()[name]: text for name, text in options.items()}
    try:
        return read_settings({**environ, **as_keys}, DOTENV)
    except ConfigRefused as error:
        problems = [_as_option(problem, options) for problem in error.problems]
        raise ConfigRefused("The configuration", problems) from None


def _as_option(problem: str, options: Mapping[str, str]) -> str:
    """A problem that names a setting by its key, with the option's name instead, if that was used."""
    for name in options:
        if problem.startswith(f"{keys()[name]}="):
            return f"--{name} " + problem.removeprefix(f"{keys()[name]}=")
    return problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m gateway"),
        description="Pictures in, JSON out: the queue and the model servers over HTTP.",
        epilog="Every option can be set in the environment and in the file .env too.",
        allow_abbrev=False,
    )
    for row in fields(Settings):
        default = f" Default: {row.default}." if row.default not in ("", 0) else ""
        text = f"{row.metadata['help']}{default} [{row.metadata['key']}]"
        parser.add_argument(
            f"--{row.name}", metavar=row.metadata["unit"] or "TEXT", help=text.replace("%", "%%")
        )
    old = parser.add_argument_group("Options of Cluster Serving's front end, which start it on port 10020")
    for name in NAMES:
        old.add_argument(f"--{name}", metavar="TEXT", help="No meaning here." if name in NO_MEANING else None)
    return parser


def _check_port(host: str, port: int) -> None:
    """Raises PixelcostError if the port can't be used; gunicorn would try again and again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind((host, port))
    except socket.gaierror:
        raise PixelcostError(f"--host {host} is not an address of this machine.") from None
    except OSError as error:
        why = f"Port {port} on {host} can't be used: {error.strerror}. Choose another one."
        raise PixelcostError(why) from None
