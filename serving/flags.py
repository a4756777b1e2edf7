"""The command line: `tensorflow_model_server`'s flags, and those that pin a server to its cores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from serving.errors import StartRefused

NO_PATH = Path()


@dataclass(frozen=True)
class Flags:
    """What was asked for on the command line."""

    port: int  # gRPC; 0: off, as in TensorFlow Serving
    rest_api_port: int  # 0: off
    host: str
    model_name: str
    model_base_path: Path
    tensorflow_intra_op_parallelism: int  # threads; 0: as many as cores
    tensorflow_inter_op_parallelism: int
    cpus: int | None  # how many cores to be pinned to; None: not pinned
    cores: tuple[int, ...] | None  # which ones; None: the first `cpus` that are allowed
    device: str  # "auto", "cpu", "gpu"
    exit_with_parent: bool
    list_devices: bool

    @property
    def is_pinned(self) -> bool:
        """Whether the threads should be as many as the cores."""
        return self.cpus is not None or self.cores is not None


def parse(arguments: Sequence[str]) -> Flags:
    """Raises StartRefused, naming the flag, for anything unknown or impossible."""
    known, unknown = _parser().parse_known_args(arguments)
    if unknown:
        raise StartRefused(_unknown(unknown[0]))
    flags = Flags(**vars(known))
    if not flags.list_devices:
        _check(flags)
    return flags


def _check(flags: Flags) -> None:
    if flags.model_base_path == NO_PATH:
        raise StartRefused("--model_base_path is missing: the directory that holds 1/saved_model.pb.")
    if not flags.port and not flags.rest_api_port:
        raise StartRefused("--port and --rest_api_port are both 0, so nobody could ask anything. Set one.")
    if flags.port == flags.rest_api_port:
        raise StartRefused(f"--port and --rest_api_port are both {flags.port}. They must differ.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m serving", description=__doc__, allow_abbrev=False)
    for name, options in FLAGS.items():
        parser.add_argument(name, **options)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise StartRefused(f"{message}. `python -m serving --help` lists the flags.")


def _unknown(argument: str) -> str:
    flag = argument.partition("=")[0]
    if not flag.startswith("-"):
        return f"{argument!r} is not a flag, and this command takes flags only."
    return f"Unknown flag {flag}. The embedded server takes {' '.join(FLAGS)}."


def _count(text: str) -> int:
    return _whole_number(text, 0, 1024)


def _positive(text: str) -> int:
    return _whole_number(text, 1, 1024)


def _port(text: str) -> int:
    return _whole_number(text, 0, 65535)


def _whole_number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def _cores(text: str) -> tuple[int, ...]:
    """ "0,2-3" is (0, 2, 3)."""
    cores: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of cores like 0,1 or 0-3")
        cores.update(range(int(first), int(last or first) + 1))
    if not cores:
        raise argparse.ArgumentTypeError(f"{text!r} names no core")
    return tuple(sorted(cores))


def _boolean(text: str) -> bool:
    """TensorFlow Serving's spellings: --flag, --flag=true, --flag=1 and their opposites."""
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not true or false")


_SWITCH: dict[str, Any] = {"type": _boolean, "nargs": "?", "const": True, "default": False}

# The first six are TensorFlow Serving's own, with its defaults; the others are ours.
FLAGS: dict[str, dict[str, Any]] = {
    "--port": {"type": _port, "default": 8500, "help": "gRPC port, 0: off (8500)"},
    "--rest_api_port": {"type": _port, "default": 0, "help": "REST port, 0: off (0)"},
    "--model_name": {"default": "default", "help": "the name clients ask for (default)"},
    "--model_base_path": {
        "type": Path,
        "default": NO_PATH,
        "help": "directory with one numbered directory per version",
    },
    "--tensorflow_intra_op_parallelism": {
        "type": _count,
        "default": 0,
        "help": "threads within an operation, 0: as many as cores (0)",
    },
    "--tensorflow_inter_op_parallelism": {
        "type": _count,
        "default": 0,
        "help": "operations side by side, 0: as many as cores (0)",
    },
    "--host": {"default": "0.0.0.0", "help": "address to listen on (0.0.0.0)"},
    "--cpus": {"type": _positive, "help": "pin to this many cores, or to as many as there are"},
    "--cores": {"type": _cores, "help": "pin to these cores: 0,1 or 0-3"},
    "--device": {
        "choices": ("auto", "cpu", "gpu"),
        "default": "auto",
        "help": "auto: a GPU where there is one (auto)",
    },
    "--exit_with_parent": {**_SWITCH, "help": "stop when the process that started this one has gone"},
    "--list_devices": {**_SWITCH, "help": "print the devices of this machine as JSON, then end"},
}
