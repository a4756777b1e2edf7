"""`python -m gateway`: reads options and settings, then serves until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from experiment.errors import ConfigRefused, PixelcostError
from gateway.config import Settings, keys, read_settings
from gateway.server import Server

DOTENV = Path(".env")


def main(arguments: Sequence[str]) -> int:
    """Serve. Returns the exit code. Raises PixelcostError."""
    given = vars(_parser().parse_args(arguments))
    settings = settings_of({name: text for name, text in given.items() if text is not None}, os.environ)
    for port in filter(None, (settings.port, settings.frontend_port)):
        _check_port(settings.host, port)
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
        prog="python -m gateway",
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
