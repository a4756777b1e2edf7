"""`python -m models`: where a servable comes from.

Exit codes: 0 done; 1 done, but Pixelcost can't use what was found; 2 it could not be done;
3 a download failed; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import sys
from collections.abc import Sequence

from common.installed import as_typed
from models.commands import COMMANDS
from models.problems import FetchFailed, ModelProblem

DISK_FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))


def main(arguments: Sequence[str]) -> int:
    """Run one command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # without it TensorFlow prints a page about CUDA
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    try:
        return COMMANDS[options.command].run(options)
    except ModelProblem as problem:
        print(as_typed(f"python -m models: {problem}"), file=sys.stderr)
        return 3 if isinstance(problem, FetchFailed) else 2
    except OSError as problem:
        has_path = problem.filename and problem.strerror
        reason = f"{os.fsdecode(problem.filename)}: {problem.strerror}." if has_path else str(problem)
        print(as_typed(f"python -m models: {reason}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as problem:
        if not any(reason in str(problem) for reason in DISK_FULL):  # TensorFlow has errors of its own for it
            raise
        said = "python -m models: The disk is full. Free space there, or use another folder."
        print(as_typed(said), file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m models"), description=(__doc__ or "").splitlines()[0]
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        about = summary.partition(": ")[2]
        module.add_arguments(commands.add_parser(name, help=about, description=about))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
