"""`python -m models.remote`: the command `install` alone, as the image pixelcost-fetch runs it.

It needs only requirements/remote.txt: no TensorFlow and no NumPy. Exit codes are those of `python -m models`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from models.problems import FetchFailed, ModelProblem
from models.remote import command


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0, 2 if it could not be done, 3 if nothing could be fetched, 130 Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m models.remote", description=(__doc__ or "").splitlines()[0]
    )
    command.add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return command.run(options)
    except ModelProblem as problem:
        print(f"python -m models.remote: {problem}", file=sys.stderr)
        return 3 if isinstance(problem, FetchFailed) else 2
    except OSError as problem:
        print(
            f"The model could not be put into {options.into}: {problem}. It must be writable for user "
            f"{os.getuid()}: give the volume to that user, or to its group (Kubernetes: fsGroup).",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
